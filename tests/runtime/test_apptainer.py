"""Apptainer's command lines word for word, and an Apptainer that is missing, old or open."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from medperf_git.errors import EngineError
from medperf_git.runtime import apptainer_options
from medperf_git.runtime.apptainer_engine import ApptainerEngine
from medperf_git.runtime.apptainer_options import Program, build_command, exec_command, task_options
from medperf_git.runtime.apptainer_trial import find_program
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import environment
from medperf_git.runtime.mounts import Mount
from medperf_git.runtime.seccomp import SECCOMP
from tests.runtime.lab import SMALL
from tests.support import apptainer

NEW = Program("apptainer", "apptainer", (1, 4, 5))
OLD = Program("/usr/bin/apptainer", "apptainer", (1, 2, 0))
OTHER = Program("singularity", "singularity-ce", (4, 1, 1))
# `apptainer help exec` and `apptainer help build` of version 1.4.5: an option that does not exist,
# or takes no value where we give one, fails here.
GLOBAL_OPTIONS = {"--silent": False, "--nocolor": False}
EXEC_OPTIONS = {
    "--add-caps": True, "--allow-setuid": False, "--app": True, "--apply-cgroups": True,
    "--authfile": True, "--bind": True, "--blkio-weight": True, "--cleanenv": False,
    "--compat": False, "--contain": False, "--containall": False, "--cpus": True, "--cwd": True,
    "--disable-cache": False, "--dns": True, "--drop-caps": True, "--env": True,
    "--env-file": True, "--fakeroot": False, "--fusemount": True, "--home": True,
    "--hostname": True, "--ipc": False, "--keep-privs": False, "--memory": True, "--mount": True,
    "--net": False, "--netns-path": True, "--network": True, "--network-args": True,
    "--no-eval": False, "--no-home": False, "--no-https": False, "--no-init": False,
    "--no-mount": True, "--no-pid": False, "--no-privs": False, "--no-umask": False, "--nv": False,
    "--nvccli": False, "--overlay": True, "--pid": False, "--pids-limit": True, "--pwd": True,
    "--rocm": False, "--scratch": True, "--security": True, "--sharens": False,
    "--unsquash": False, "--userns": False, "--uts": False, "--workdir": True,
    "--writable": False, "--writable-tmpfs": False,
}  # fmt: skip
BUILD_OPTIONS = {
    "--arch": True, "--authfile": True, "--bind": True, "--disable-cache": False,
    "--docker-host": True, "--encrypt": False, "--fakeroot": False, "--fix-perms": False,
    "--force": False, "--json": False, "--library": True, "--mksquashfs-args": True,
    "--mount": True, "--no-cleanup": False, "--no-https": False, "--notest": False,
    "--sandbox": False, "--section": True, "--update": False, "--userns": False,
}  # fmt: skip
FIXED = [
    "--containall", "--cleanenv", "--no-eval", "--no-umask", "--ipc", "--pid", "--uts",
    "--hostname", "mpgit", "--no-home", "--home", "/tmp",  # noqa: S108
    "--no-mount", "sys,hostfs,cwd,bind-paths", "--net", "--network", "none",
    "--no-privs", "--drop-caps", "all", "--security", "seccomp:/s/seccomp.json",
]  # fmt: skip
VOLUMES = [
    Mount(Path("/site/data"), "/mlcommons/volumes/data", writable=False),
    Mount(Path('/site/a,b "c"'), "/mlcommons/volumes/labels", writable=False),
    Mount(Path("/site/out:1"), "/mlcommons/volumes/results", writable=True),
]
COMMAND_LINES = {
    "an archive": (
        build_command(NEW, Path("/c/image.sif"), "docker-archive:image.tar"),
        ["apptainer", "--silent", "--nocolor", "build", "--disable-cache", "--fix-perms",
         "--mksquashfs-args", "-Xcompression-level 1", "/c/image.sif", "docker-archive:image.tar"],
    ),
    "an archive, where no compression can be chosen": (
        build_command(OLD, Path("/c/image.sif"), "docker-archive:image.tar"),
        ["/usr/bin/apptainer", "--silent", "--nocolor", "build", "--disable-cache", "--fix-perms",
         "/c/image.sif", "docker-archive:image.tar"],
    ),
    "a reference, with SingularityCE": (
        build_command(OTHER, Path("i.sif"), f"docker://r.example/a/b@sha256:{'0' * 64}"),
        ["singularity", "--silent", "--nocolor", "build", "--disable-cache", "--fix-perms",
         "i.sif", f"docker://r.example/a/b@sha256:{'0' * 64}"],
    ),
    "a registry on this machine": (
        build_command(OTHER, Path("i.sif"), "docker://127.0.0.1:5000/a@sha256:0", plain_http=True),
        ["singularity", "--silent", "--nocolor", "build", "--disable-cache", "--fix-perms",
         "--no-https", "i.sif", "docker://127.0.0.1:5000/a@sha256:0"],
    ),
    "a task": (
        exec_command(
            NEW, Path("/c/image.sif"), ["python3", "-m", "infer", "--fast"],
            profile=Path("/s/seccomp.json"),
            options=task_options(
                NEW, VOLUMES, {"HOME": "/tmp", "OMP_NUM_THREADS": "2"},  # noqa: S108
                scratch=Path("/s/work"), working_folder="/workspace",
            ),
        ),
        ["apptainer", "--silent", "--nocolor", "exec", *FIXED,
         "--workdir", "/s/work", "--cwd", "/workspace",
         "--mount", "type=bind,source=/site/data,destination=/mlcommons/volumes/data,ro",
         "--mount", 'type=bind,"source=/site/a,b ""c""",destination=/mlcommons/volumes/labels,ro',
         "--mount", "type=bind,source=/site/out:1,destination=/mlcommons/volumes/results",
         "--env", "HOME=/tmp", "--env", "OMP_NUM_THREADS=2",
         "/c/image.sif", "python3", "-m", "infer", "--fast"],
    ),
    "a task of root's, with graphics processors, in an older one": (
        exec_command(
            OLD, Path("i.sif"), ["x"], profile=Path("/s/seccomp.json"),
            options=task_options(
                OLD, (), apptainer_options.gpu_variables(("0", "3")), scratch=Path("/s/work"),
                working_folder="/", gpus=("0", "3"),
                kernel=[Mount(Path("/proc/sys"), "/proc/sys", writable=False)],
            ),
        ),
        ["/usr/bin/apptainer", "--silent", "--nocolor", "exec", *FIXED, "--nv",
         "--workdir", "/s/work", "--pwd", "/",
         "--mount", "type=bind,source=/proc/sys,destination=/proc/sys,ro",
         "--env", "CUDA_VISIBLE_DEVICES=0,3", "i.sif", "x"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_command_lines_are_these_word_for_word(name: str) -> None:
    built, expected = COMMAND_LINES[name]
    assert built == expected


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_every_option_is_documented_and_used_as_documented(name: str) -> None:
    words = list(COMMAND_LINES[name][0][1:])
    command = "exec" if "exec" in words else "build"
    known = EXEC_OPTIONS if command == "exec" else BUILD_OPTIONS
    while words[0] != command:
        assert words.pop(0) in GLOBAL_OPTIONS
    words.pop(0)
    while words[0].startswith("-"):
        if known[words.pop(0)]:
            assert not words.pop(0).startswith("--")
    assert words[0].endswith(".sif")


@pytest.mark.parametrize("command", apptainer.only_here("exec", "build"))
def test_the_lists_of_options_are_this_apptainers(command: str) -> None:
    program = apptainer.program()
    assert program is not None
    told = subprocess.run(
        [program.path, "help", command], check=True, capture_output=True, text=True
    ).stdout
    options = dict(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)( [a-zA-Z]+)? {2,}", told, re.MULTILINE))
    known = {**(EXEC_OPTIONS if command == "exec" else BUILD_OPTIONS)}
    # What `--cwd` was called before is no longer listed.
    known.pop("--pwd", None)
    for name, takes in known.items():
        assert name in options
        assert bool(options[name]) == takes, name


def test_no_task_is_ever_started_with_a_network_or_rights() -> None:
    words = exec_command(NEW, Path("i.sif"), ["x"], profile=Path("p"))
    assert words[words.index("--net") : words.index("--net") + 3] == ["--net", "--network", "none"]
    assert words[words.index("--drop-caps") + 1] == "all"
    forbidden = {"--add-caps", "--keep-privs", "--allow-setuid", "--writable", "--fakeroot",
                 "--netns-path", "--no-pid", "--sharens", "--overlay"}  # fmt: skip
    assert not forbidden & set(words)


def test_the_environment_needs_no_quoting() -> None:
    # `--env` splits at commas where a word has two equals signs.
    for name, value in environment(SMALL).items():
        assert f"{name}={value}".count("=") == 1


def test_the_profile_forbids_namespaces_and_is_one_of_the_specification() -> None:
    names = {name for rule in SECCOMP["syscalls"] for name in rule["names"]}
    assert {"unshare", "setns", "clone", "clone3", "mount", "ptrace", "bpf"} <= names
    actions = {rule["action"] for rule in SECCOMP["syscalls"]}
    assert actions == {"SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"}


VERSIONS: dict[str, tuple[str, tuple[int, ...], bool] | None] = {
    "apptainer version 1.4.5": ("apptainer", (1, 4, 5), False),
    "apptainer version 1.2.0-1.el9\n": ("apptainer", (1, 2, 0), False),
    "apptainer version 1.1.9": ("apptainer", (1, 1, 9), True),
    "singularity-ce version 4.1.1-jammy": ("singularity-ce", (4, 1, 1), False),
    "singularity-ce version 3.10.5": ("singularity-ce", (3, 10, 5), True),
    "singularity version 3.8.7": None,
    "2.6.1-dist": None,
    "": None,
}


@pytest.mark.parametrize("said", VERSIONS)
def test_versions_are_read(said: str) -> None:
    found, expected = Program.of("p", said), VERSIONS[said]
    read = found and (found.product, found.version, found.is_too_old)
    assert read == expected


# --- stand-ins, each a script in place of Apptainer ------------------------------------------

SAYS = "#!/bin/sh\ncase $1 in --version) echo {version}; exit ;; esac\n"
STAND_INS = {
    "is not installed": (None, "neither apptainer nor singularity", "engine-missing"),
    "is too old": (SAYS.format(version="apptainer version 1.0.3"), "1.0.3", "engine-missing"),
    "is another": (SAYS.format(version="singularity version 3.8.7"), "not known", "engine-missing"),
    "has no network namespaces": (
        SAYS.format(version="apptainer version 1.4.5")
        + "echo 'FATAL:   container creation failed: no network namespace' >&2; exit 255\n",
        "no network namespace",
        "engine-missing",
    ),
    "isolates nothing": (
        SAYS.format(version="apptainer version 1.4.5")
        + 'while [ "$1" != /bin/sh ]; do shift; done; exec "$@"\n',
        "it shares ipc, it shares mnt, it shares net",
        "isolation",
    ),
    "says nothing": (
        SAYS.format(version="apptainer version 1.4.5") + "exit 0\n",
        "does not isolate",
        "isolation",
    ),
}


@pytest.mark.parametrize("what", STAND_INS)
def test_an_apptainer_that_does_not_isolate_runs_nothing(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, message, code = STAND_INS[what]
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "readlink", "grep"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    if script is not None:
        (programs / "apptainer").write_text(script)
        (programs / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(EngineError, match=message) as caught:
        ApptainerEngine(ArtefactStore(tmp_path / "cache"))
    assert caught.value.code == code
    assert "docs/engines.md" in str(caught.value.advice)
    assert not list((tmp_path / "cache").rglob("seccomp.json"))


def test_singularity_is_taken_where_there_is_no_apptainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "singularity"
    script.write_text("#!/bin/sh\necho singularity-ce version 4.1.1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program() == Program(str(script), "singularity-ce", (4, 1, 1))
