"""Likely causes: from messages as programs really print them, and from tasks that really fail."""

# One message a line: put together where they are long.
# ruff: noqa: ISC004, RUF001

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.runtime.causes import CAUSES, likely_cause
from medperf_git.runtime.sandbox_engine import SandboxEngine
from tests.runtime.lab import SMALL, Lab, container

REAL: dict[str, tuple[str, ...]] = {
    "gpu-memory": (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
        "capacity of 7.79 GiB of which 1.21 GiB is free.",
        "RuntimeError: CUDA error: out of memory",
    ),
    "shared-memory": (
        "RuntimeError: DataLoader worker (pid 41) is killed by signal: Bus error. It is possible "
        "that dataloader's workers are out of shared memory.",
        "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient "
        "shared memory (shm).",
    ),
    "out-of-memory": (
        "MemoryError",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with "
        "shape (1000000000,) and data type float64",
        "OSError: [Errno 12] Cannot allocate memory",
        "Error: cannot allocate vector of size 7.5 Gb",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: not enough "
        "memory: you tried to allocate 40000000000 bytes.",
        'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
    ),
    "too-many-processes": (
        "RuntimeError: can't start new thread",
        "BlockingIOError: [Errno 11] Resource temporarily unavailable",
        "OpenBLAS blas_thread_init: pthread_create failed for thread 7 of 64",
        "sh: 0: Cannot fork",
    ),
    "output-too-large": ("OSError: [Errno 27] File too large", "File size limit exceeded"),
    "disk-full": (
        "OSError: [Errno 28] No space left on device",
        "cp: error writing '/mlcommons/volumes/predictions/a': Disk quota exceeded",
    ),
    "no-gpu": (
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA "
        "GPU and installed a driver",
        "RuntimeError: No CUDA GPUs are available",
        "AssertionError: Torch not compiled with CUDA enabled",
        "RuntimeError: Attempting to deserialize object on a CUDA device but "
        "torch.cuda.is_available() is False.",
        "CUDA error: no CUDA-capable device is detected",
        "CUDA driver version is insufficient for CUDA runtime version",
        "OSError: libcuda.so.1: cannot open shared object file: No such file or directory",
        "E tensorflow/stream_executor/cuda/cuda_driver.cc:271] failed call to cuInit: "
        "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
        "sh: 1: nvidia-smi: not found",
        "bash: line 1: nvidia-smi: command not found",
    ),
    "no-network": (
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "socket.gaierror: [Errno -2] Name or service not known",
        "OSError: [Errno 101] Network is unreachable",
        "curl: (6) Could not resolve host: example.org",
        "fatal: unable to access 'https://example.org/x.git/': Could not resolve host: example.org",
        "OSError: We couldn't connect to 'https://huggingface.co' to load this file",
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='example.org', port=443): "
        "Max retries exceeded with url: /w.pt (Caused by NameResolutionError(...))",
        "wget: unable to resolve host address 'example.org'",
        "dial tcp: lookup example.org: no such host",
        "java.net.UnknownHostException: example.org",
    ),
    "wrong-user": (
        "PermissionError: [Errno 13] Permission denied: '/root/.cache'",
        "KeyError: 'getpwuid(): uid not found: 12345'",
        "OSError: [Errno 30] Read-only file system: '/workspace/out'",
        "mkdir: cannot create directory '/workspace': Read-only file system",
        "chown: changing ownership of '/data': Operation not permitted",
        "whoami: cannot find name for user ID 12345",
    ),
    "missing-module": (
        "ModuleNotFoundError: No module named 'monai'",
        "/usr/bin/python3: No module named torch",
        "ImportError: cannot import name 'metrics' from 'sklearn' (/usr/lib/sklearn/__init__.py)",
        "Error in library(survival) : there is no package called ‘survival’",
    ),
    "wrong-processor": (
        "exec /opt/conda/bin/python3: exec format error",
        "OSError: [Errno 8] Exec format error: '/project/tool'",
        "bash: /project/tool: cannot execute binary file: Exec format error",
        "Illegal instruction (core dumped)",
    ),
    "missing-library": (
        "python3: error while loading shared libraries: libz.so.1: cannot open shared object file: "
        "No such file or directory",
        "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
        "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./tool)",
    ),
    "missing-program": (
        "bwrap: execvp no-such-program: No such file or directory",
        "[FATAL tini (7)] exec no-such-program failed: No such file or directory",
        'exec: "no-such-program": executable file not found in $PATH: unknown',
        "sh: 1: no-such-program: not found",
        "bash: line 1: no-such-program: command not found",
        "python3: can't open file '/project/none.py': [Errno 2] No such file or directory",
    ),
}
"""Messages word for word, by the cause that they tell of."""

CASES = [(cause, message) for cause, messages in REAL.items() for message in messages]


@pytest.mark.parametrize(("cause", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_a_message_tells_of_its_cause(cause: str, message: str) -> None:
    found = likely_cause(1, f"reading 3 cases\n{message}\n")
    assert found is not None
    assert found.code == cause


def test_every_cause_has_a_real_message() -> None:
    assert set(REAL) == {cause.code for cause in CAUSES}


@pytest.mark.parametrize(
    ("code", "cause"),
    [(137, "out-of-memory"), (127, "missing-program"), (132, "wrong-processor"), (3, None),
     (135, "shared-memory"), (153, "output-too-large"), (None, None)],
)  # fmt: skip
def test_an_exit_code_tells_where_no_line_does(code: int | None, cause: str | None) -> None:
    found = likely_cause(code, "reading 3 cases")
    assert (found and found.code) == cause


def test_the_last_line_that_tells_counts_and_old_ones_do_not() -> None:
    warning = "UserWarning: Found no NVIDIA driver on your system"
    found = likely_cause(1, f"{warning}\nModuleNotFoundError: No module named 'x'\n")
    assert found is not None
    assert found.code == "missing-module"
    assert likely_cause(1, warning + "\nepoch" * 50 + "\nValueError: no age") is None
    assert likely_cause(1, "ValueError: column age is missing", "CUDA is not what it was") is None


def test_the_text_of_a_cause_is_ours() -> None:
    """A cause may go where a log's lines may not: it is the same whatever was printed."""
    found = likely_cause(1, "PermissionError: [Errno 13] Permission denied: '/data/PATIENT-4711'")
    assert found in CAUSES


# --- tasks that really fail so --------------------------------------------------------------


def python(code: str) -> tuple[str, ...]:
    return ("python3", "-c", f"import os, socket, sys\n{code}")


FAILING: dict[str, tuple[str, tuple[str, ...]]] = {
    "array": ("out-of-memory", python("x = bytearray(10**10)")),
    "map": ("out-of-memory", python("import mmap; mmap.mmap(-1, 10**11)")),
    "killed": ("out-of-memory", ("sh", "-c", "kill -9 $$")),
    "threads": ("too-many-processes", python(
        "import threading, time\n"
        "for _ in range(100): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    )),
    "large-file": ("output-too-large", python("open('/tmp/x', 'wb').write(b'x' * 40_000_000)")),
    "tmp": ("disk-full", python(
        "for n in range(9): open(f'/tmp/{n}', 'wb').write(b'x' * 30_000_000)"
    )),
    "driver": ("no-gpu", python("import ctypes; ctypes.CDLL('libcuda.so.1')")),
    "nvidia-smi": ("no-gpu", ("sh", "-c", "nvidia-smi-none || nvidia-smi")),
    "name": ("no-network", python("socket.create_connection(('example.org', 80))")),
    "address": ("no-network", python("socket.create_connection(('192.0.2.1', 80))")),
    "download": ("no-network", python(
        "import urllib.request; urllib.request.urlopen('http://example.org/weights')"
    )),
    "user": ("wrong-user", python("import pwd; pwd.getpwuid(os.getuid() + 4711)")),
    "root": ("wrong-user", python("os.mkdir('/workspace')")),
    "input": ("wrong-user", python("open('/mlcommons/volumes/data/x', 'w')")),
    "locked": ("wrong-user", python(
        "open('/tmp/x', 'w').close(); os.chmod('/tmp/x', 0); open('/tmp/x').read()"
    )),
    "module": ("missing-module", python("import no_such_module")),
    "main-module": ("missing-module", ("python3", "-m", "no_such_module")),
    "elf": ("wrong-processor", python(
        "open('/tmp/x', 'wb').write(b'\\x7fELF junk'); os.chmod('/tmp/x', 0o700)\n"
        "os.execv('/tmp/x', ['x'])"
    )),
    "instruction": ("wrong-processor", python("os.kill(os.getpid(), 4)")),
    "library": ("missing-library", python("import ctypes; ctypes.CDLL('libnone.so.3')")),
    "program": ("missing-program", ("no-such-program", "--now")),
    "in-shell": ("missing-program", ("sh", "-c", "no-such-program")),
    "file": ("missing-program", ("python3", "/project/none.py")),
}  # fmt: skip


def failure(lab: Lab, command: tuple[str, ...]) -> ExecutionError:
    """The error of a task that runs a command."""
    original = container(lab.image, "well_behaved")
    task = original.tasks["infer"].model_copy(update={"command": command})
    failing = original.model_copy(update={"tasks": {"infer": task}})
    with pytest.raises(ExecutionError) as caught:
        lab.run("well_behaved", replace(SMALL, memory_mb=192), container=failing)
    return caught.value


@pytest.mark.parametrize("name", FAILING)
def test_a_task_that_fails_so_is_told_why(sandbox: Lab, name: str) -> None:
    wanted, command = FAILING[name]
    if name in {"array", "map"}:
        # With a control group the kernel kills instead, which has an error of its own.
        sandbox.engine = SandboxEngine(sandbox.artefacts, use_cgroups=False)
    error = failure(sandbox, command)
    cause = next(cause for cause in CAUSES if cause.code == wanted)
    assert error.code == "task-failed"
    assert error.message.startswith("infer failed with exit code ")
    assert error.message.endswith(f"; likely cause: {cause.text}")
    assert error.advice == cause.advice
    assert error.place == f"infer, log {sandbox.log.main}"


@pytest.mark.parametrize("name", ["name", "root", "user", "program", "module", "driver", "elf"])
def test_docker_s_tasks_too(docker: Lab, name: str) -> None:
    wanted, command = FAILING[name]
    cause = next(cause for cause in CAUSES if cause.code == wanted)
    error = failure(docker, command)
    assert cause.text in error.message
    assert Path(str(error.place).removeprefix("infer, log ")).is_file()
