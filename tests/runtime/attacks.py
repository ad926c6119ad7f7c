"""What a hostile container may try, run inside one: `python3 attacks.py NAME`.

Each function tries something and returns what it achieved, which goes as JSON to
`report.json` in the output volume. Standard library only: it runs in every image.
"""

# An attacker writes to the terminal, uses plain system calls and knows `/tmp`.
# ruff: noqa: T201, S108, PERF401, PTH102, PTH109, PTH110, PTH112, PTH118, PTH123, PTH208

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import stat
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

VOLUMES = Path("/mlcommons/volumes")
DATA = VOLUMES / "data"
OUTPUT = VOLUMES / "predictions"
MIB = 1024 * 1024


def well_behaved() -> object:
    """Read the input, write an output."""
    (OUTPUT / "predictions.csv").write_text((DATA / "data.csv").read_text().upper())
    print("all is well")
    return "done"


def network() -> object:
    """Every way out that we know."""
    reached = []
    port = int((DATA / "port").read_text())
    for address in ("127.0.0.1", "172.17.0.1", "1.1.1.1", "10.0.0.1", "169.254.169.254"):
        for number in (port, 53, 80):
            with socket.socket() as probe, suppress(OSError):
                probe.settimeout(0.5)
                probe.connect((address, number))
                reached.append(f"{address}:{number}")
    with socket.socket(socket.AF_INET6) as probe, suppress(OSError):
        probe.settimeout(0.5)
        probe.connect(("2606:4700:4700::1111", 53))
        reached.append("ipv6")
    with suppress(OSError):
        reached.append(str(socket.getaddrinfo("example.org", 80)))
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        reached.append("raw socket")
    abstract = (DATA / "abstract").read_text()
    for name in (
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/systemd/private",
        "\0" + abstract,
    ):
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(name)
            reached.append(name)
    return {
        "reached": reached,
        "devices": sorted(os.listdir("/sys/class/net"))
        if os.path.isdir("/sys/class/net")
        else [
            line.split(":")[0].strip()
            for line in Path("/proc/net/dev").read_text().splitlines()[2:]
        ],
    }


def write_everywhere() -> object:
    """Write inputs, the root, system folders and the kernel's switches."""
    written = []
    targets = [
        DATA / "data.csv",
        DATA / "new",
        Path("/new"),
        Path("/etc/new"),
        Path("/usr/new"),
        Path("/usr/bin/python3"),
        Path("/project/new"),
        Path("/project/attacks.py"),
        VOLUMES / "new",
        Path("/proc/sys/kernel/core_pattern"),
        Path("/proc/sys/kernel/hostname"),
        Path("/proc/sys/vm/drop_caches"),
        Path("/proc/sysrq-trigger"),
        Path("/sys/kernel/uevent_helper"),
        Path("/sys/fs/cgroup/pids/cgroup.procs"),
        Path("/sys/fs/cgroup/release_agent"),
        Path("/var/new"),
        Path("/root/new"),
        Path("/home/new"),
    ]
    for path in targets:
        with suppress(OSError):
            # Opened, not written: an attack that works must not break the machine.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            written.append(str(path))
    path = DATA / "data.csv"
    actions: list[Callable[[], object]] = [
        path.unlink,
        lambda: path.chmod(0o777),
        lambda: path.rename(DATA / "b"),
        lambda: os.utime(path),
    ]
    for action in actions:
        with suppress(OSError):
            action()
            written.append("changed an input")
    return written


def read_host() -> object:
    """Look for the labels and for anything that only the host has."""
    secrets = json.loads((DATA / "secrets").read_text())
    readable = [path for path in secrets if os.path.exists(path)]
    marked = []
    marker = (DATA / "marker").read_text().encode()
    for folder, names, files in os.walk("/"):
        if folder in ("/proc", "/sys", "/usr") or folder.endswith("/lib"):
            names.clear()
            continue
        for name in files:
            path = os.path.join(folder, name)
            with suppress(OSError):
                if stat.S_ISREG(os.lstat(path).st_mode) and path != str(DATA / "marker"):
                    with open(path, "rb") as file:
                        if marker in file.read(4096):
                            marked.append(path)
    return {
        "readable": readable,
        "marked": marked,
        "volumes": sorted(os.listdir(VOLUMES)),
        "passwd": _text("/etc/passwd"),
        "processes": _processes(),
        "cmdline": _text("/proc/1/cmdline"),
        "environment": sorted(os.environ),
    }


def _text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text()
    return ""


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def identity() -> object:
    """Who we are, and what we may do."""
    status = dict(
        line.split(":\t", 1)
        for line in Path("/proc/self/status").read_text().splitlines()
        if ":\t" in line
    )
    return {
        "uid": os.getuid(),
        "euid": os.geteuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "capabilities": [status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "no_new_privileges": status["NoNewPrivs"],
    }


def become_root() -> object:
    """Set-uid programs, user namespaces, mounts, devices, other users."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = []
    program = OUTPUT / "suid"
    program.write_bytes(b"#!/bin/sh\n")
    with suppress(OSError):
        program.chmod(0o6755)
    program.unlink()
    attempts: dict[str, Callable[[], object]] = {
        "setuid": lambda: os.setuid(12345),
        "chown": lambda: os.chown(_new(OUTPUT / "mine"), 12345, 12345),
        "mknod": lambda: os.mknod(OUTPUT / "disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0)),
        "chroot": lambda: os.chroot("/tmp"),
        "sethostname": lambda: socket.sethostname("owned"),
    }
    for name, attempt in attempts.items():
        with suppress(OSError):
            attempt()
            done.append(name)
    flags = {"new user": 0x10000000, "new mount": 0x00020000, "new net": 0x40000000}
    for name, flag in flags.items():
        if libc.unshare(flag) == 0:
            done.append(name)
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
        done.append("mount")
    if libc.mount(b"none", b"/mlcommons/volumes/data", None, 32 | 4096, None) == 0:
        done.append("remount")
    with suppress(OSError):
        (OUTPUT / "mine").unlink()
    return done


def _new(path: Path) -> Path:
    path.write_text("x")
    return path


def look_around() -> object:
    """What the kernel tells of the machine, of its other processes and of their keys."""
    secret = (DATA / "marker").read_text().encode()
    told = []
    for path in (
        "/proc/kcore",
        "/proc/kmsg",
        "/proc/keys",
        "/proc/kallsyms",
        "/proc/timer_list",
        "/proc/sched_debug",
        "/proc/1/root/etc/shadow",
        "/sys/firmware/efi/efivars",
        "/sys/firmware/acpi/tables/DSDT",
        "/sys/kernel/debug/sched",
        "/sys/kernel/security/lsm",
        "/sys/class/dmi/id/product_serial",
    ):
        with suppress(OSError):
            if os.listdir(path) if os.path.isdir(path) else _says(Path(path)):
                told.append(path)
    for number in _processes():
        for file in ("environ", "cmdline", "stack", "auxv", "maps"):
            with suppress(OSError):
                if secret in Path(f"/proc/{number}/{file}").read_bytes():
                    told.append(f"/proc/{number}/{file}")
    return {"told": told, "keys": _keys()}


def _says(path: Path) -> bool:
    """Whether a file says anything; the kernel's symbols are public, where they are is not."""
    said = path.read_bytes()
    if path.name == "kallsyms":
        return any(line.split()[0].strip(b"0") for line in said.splitlines())
    return bool(said)


_KEYCTL = {"x86_64": 250, "aarch64": 219}
_ADD_KEY = {"x86_64": 248, "aarch64": 217}


def _keys() -> list[str]:
    """Keys of the caller's that can be found, and whether one can be left for the next task."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    keyctl, add_key = _KEYCTL[os.uname().machine], _ADD_KEY[os.uname().machine]
    search, session, user = 10, -3, -4
    found = []
    for ring in (session, user):
        for name in (b"mpgit-test", b"mpgit-left"):
            if libc.syscall(keyctl, search, ring, b"user", name, 0) > 0:
                found.append(f"found {name.decode()} in {ring}")
        if libc.syscall(add_key, b"user", b"mpgit-left", b"x", 1, ring) > 0:
            found.append(f"left one in {ring}")
    return found


def calls() -> object:
    """System calls that no task needs: the error that each one gives."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    answers = {}
    for name, number in json.loads((DATA / "calls").read_text()).items():
        # Flags that no kernel knows: a call that gets through answers EINVAL, or does nothing.
        result = libc.syscall(number, -1, -1, -1, -1, -1, -1)
        answers[name] = errno.errorcode.get(ctypes.get_errno(), "?") if result < 0 else "worked"
    return answers


def crash() -> object:
    """Crash, and have the memory kept by whoever keeps such things."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.chdir(OUTPUT)
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    _, status = os.waitpid(child, 0)
    return {"dumped": os.WCOREDUMP(status), "crashed": os.WIFSIGNALED(status)}


def set_clock() -> object:
    """Make it another day, for the host."""
    done = []
    with suppress(OSError):
        time.clock_settime(time.CLOCK_REALTIME, time.time())
        done.append("clock_settime")
    for path in ("/dev/rtc", "/dev/rtc0"):
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY))
            done.append(path)
    return done


MOVABLE = ("/tmp", "/dev/shm", "/var/tmp", "/run", "/scratch", "/dev/mqueue", "/project", "/home")


def leave_behind() -> object:
    """Leave something for the next task, wherever that may work; tell what was found."""
    found = []
    for folder in MOVABLE:
        path = f"{folder}/mpgit-left-behind"
        if os.path.exists(path):
            found.append(path)
        with suppress(OSError):
            Path(path).write_text("left")
    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x6D706769
    if libc.shmget(key, 4096, 0) >= 0:
        found.append("shared memory")
    libc.shmget(key, 4096, 0o1666)
    if libc.msgget(key, 0) >= 0:
        found.append("message queue")
    libc.msgget(key, 0o1666)
    return found + [key for key in _keys() if key.startswith("found")]


def zip_bomb_output() -> object:
    """Leave a small file that would be a large one if anybody unpacked it."""
    with (OUTPUT / "predictions.nii.gz").open("wb") as file:
        packed = zlib.compressobj(9, zlib.DEFLATED, 31)
        for _ in range(1024):
            file.write(packed.compress(bytes(MIB)))
        file.write(packed.flush())
    return "left"


def set_uid_output() -> object:
    """Leave a set-uid program behind."""
    _new(OUTPUT / "suid").chmod(0o4755)
    return "left"


def link_output() -> object:
    """Leave a link that leads out."""
    (OUTPUT / "link").symlink_to("/etc/passwd")
    return "left"


def link_folder_output() -> object:
    """Leave a folder that leads out, deeper down."""
    (OUTPUT / "a").mkdir()
    (OUTPUT / "a" / "link").symlink_to("/")
    return "left"


def hard_link_output() -> object:
    """Leave two names of one file."""
    os.link(_new(OUTPUT / "one"), OUTPUT / "two")
    return "left"


def pipe_output() -> object:
    """Leave a pipe that hangs whoever opens it."""
    os.mkfifo(OUTPUT / "pipe")
    return "left"


def odd_name_output() -> object:
    """Leave a name that rings the terminal's bell."""
    _new(OUTPUT / "a\x07\x1b[2J")
    return "left"


def locked_output() -> object:
    """Leave what its own owner may not read; plain otherwise."""
    (OUTPUT / "a").mkdir()
    _new(OUTPUT / "a" / "b").chmod(0)
    (OUTPUT / "a").chmod(0)
    return "left"


def deep_output() -> object:
    """Leave folders deeper than anybody walks."""
    os.chdir(OUTPUT)
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    time.sleep(600)
    return "left"


def link_for_result() -> object:
    """A link where the one result file belongs."""
    (VOLUMES / "results" / "results.yaml").symlink_to("/etc/passwd")
    return None


def write_result() -> object:
    """The one result file, and something beside it."""
    (VOLUMES / "results" / "results.yaml").write_text("auroc: 0.5\n")
    (VOLUMES / "results" / "other").write_text("left behind")
    return None


def no_result() -> object:
    """Nothing at all."""
    return None


def fork_bomb() -> object:
    """As many processes as there may be, held until we are killed."""
    children = 0
    try:
        while children < 5000:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            children += 1
    except OSError:
        pass
    return {"children": children}


def fork_bomb_forever() -> object:
    """Children that fork too."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        with suppress(OSError):
            os.fork()
    return None


def fill_memory() -> object:
    """More and more memory, really used."""
    kept = []
    for _ in range(20_000):
        kept.append(bytearray(b"x") * MIB)
    return len(kept)


def fill_shared_memory() -> object:
    """Memory that no process's heap shows."""
    kept = []
    for _ in range(20_000):
        block = mmap.mmap(-1, MIB)
        block.write(b"x" * MIB)
        kept.append(block)
    return len(kept)


def fill_tmp() -> object:
    """Memory in the guise of files."""
    written = 0
    for folder in ("/tmp", "/dev/shm", "/dev", "/run"):
        with suppress(OSError), open(f"{folder}/big", "wb") as file:
            for _ in range(20_000):
                written += file.write(b"x" * MIB)
    return written // MIB


def fill_one_file() -> object:
    """One output without end."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    with (OUTPUT / "big").open("wb") as file:
        while True:
            file.write(b"x" * MIB)


def fill_many_files() -> object:
    """Outputs without end, each small enough."""
    for number in range(100_000):
        (OUTPUT / f"big{number}").write_bytes(b"x" * MIB)
    return None


def pretend_large_files() -> object:
    """Sparse files, which take no room until somebody reads them."""
    with suppress(OSError):
        os.truncate(_new(OUTPUT / "terabyte"), 1 << 40)
    for number in range(40):
        os.truncate(_new(OUTPUT / f"sparse{number}"), 30 * MIB)
    return "left"


def many_small_files() -> object:
    """Names without end."""
    for number in range(10_000_000):
        (OUTPUT / f"f{number}").touch()
    return None


def hang() -> object:
    """Never end, and listen to nobody."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
    print("hanging", flush=True)
    time.sleep(600)
    return None


def outlive() -> object:
    """Leave a process behind that writes after the end."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(1.5)
        (OUTPUT / "late").write_text("late")
        os._exit(0)
    return "left"


def exit_3() -> object:
    """Fail, with something to say."""
    print("first line")
    print("\x1b[31mValueError: column age is missing\x1b[0m", file=sys.stderr)
    raise SystemExit(3)


def chatter() -> object:
    """Print without end."""
    line = "x" * 1023 + "\n"
    for _ in range(40 * 1024):
        sys.stdout.write(line)
    print("the last line")
    return "done"


def environment() -> object:
    """The variables, the folder and what else we were given."""
    return {
        "variables": dict(os.environ),
        "folder": os.getcwd(),
        "limits": _text("/proc/self/limits"),
    }


def materials() -> object:
    """Parameters and additional files, as a plain reader sees them."""
    lines = (VOLUMES / "parameters" / "parameters_file.yaml").read_text().splitlines()
    folder = VOLUMES / "additional_files"
    found = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return {"parameters": lines, "files": found}


def main(name: str) -> None:
    """Run one attack and leave its report."""
    outcome = globals()[name]()
    if outcome is not None:
        (OUTPUT / "report.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1])
