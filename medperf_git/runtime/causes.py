"""Why a task failed, guessed from its exit code and from what it printed last.

A table of causes: each with the messages that tell of it, and what to do about it. A guess, and
called one. The texts here are ours: nothing of a log is in them, so a cause may go where a log's
lines may not. Does not read logs (``tasklog`` does).

Example:
    >>> found = likely_cause(1, "ModuleNotFoundError: No module named 'monai'")
    >>> found.code, found.text
    ('missing-module', 'a Python module is not in the image')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LINES: Final = 20
"""How many of the last lines are looked at: what ends a task stands at the end."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What may have gone wrong.

    Attributes:
        code: stable, for scripts.
        text: what it is, in a few words.
        advice: what to do about it.
        messages: regular expressions for the lines that tell of it.
        exits: exit codes that tell of it by themselves.
    """

    code: str
    text: str
    advice: str
    messages: tuple[str, ...]
    exits: frozenset[int] = frozenset()


CAUSES: Final = (
    Cause(
        "gpu-memory",
        "a graphics processor ran out of memory",
        "end what else runs on it (nvidia-smi shows it), or ask the owner for smaller batches",
        (r"CUDA(?: error:)? out of memory", r"CUDA_ERROR_OUT_OF_MEMORY",
         r"CUBLAS_STATUS_ALLOC_FAILED", r"ResourceExhaustedError.*GPU"),
    ),
    Cause(
        "shared-memory",
        "too little shared memory (/dev/shm)",
        "it grows with memory: raise resources.memory_mb in the record, or the site's limit",
        (r"out of shared memory", r"insufficient shared memory",
         r"unable to (?:open|write|allocate).*shared memory",
         r"[Nn]o space left on device.*(?:/dev/shm|/torch_|/psm_|SemLock|shared)"),
        frozenset({135}),
    ),
    Cause(
        "out-of-memory",
        "it ran out of memory",
        "raise resources.memory_mb in the record, or the site's limit; fewer tasks at a time help "
        "where the machine itself has too little",
        (r"\bMemoryError\b", r"std::bad_alloc", r"[Cc]annot allocate (?:memory|vector)",
         r"Unable to allocate .*\bfor an array", r"[Oo]ut of memory", r"OOMKilled",
         r"Killed process \d+", r"java\.lang\.OutOfMemoryError", r"DefaultCPUAllocator",
         r"[Vv]irtual memory exhausted"),
        frozenset({137}),
    ),
    Cause(
        "too-many-processes",
        "it may start no more processes or threads",
        "raise resources.processes in the record, or the site's limit",
        (r"can't start new thread", r"[Rr]esource temporarily unavailable",
         r"[Cc]annot fork", r"pthread_create failed", r"libgomp: Thread creation failed"),
    ),
    Cause(
        "output-too-large",
        "a file became larger than all outputs may be",
        "raise resources.output_mb in the record, or the site's limit",
        (r"\bFile too large\b", r"[Ff]ile size limit exceeded"),
        frozenset({153}),
    ),
    Cause(
        "disk-full",
        "no space was left",
        "free space where the outputs go; /tmp in a task lives in memory and is half of "
        "resources.memory_mb",
        (r"[Nn]o space left on device", r"[Dd]isk quota exceeded", r"\bENOSPC\b"),
    ),
    Cause(
        "no-gpu",
        "it wants a graphics processor, and has none",
        "give it one (resources.gpus in the record, `mpgit run --gpus`, NVIDIA's driver and "
        "container toolkit on this machine), or ask the owner for a way without",
        (r"[Ff]ound no NVIDIA driver", r"[Nn]o CUDA[- ](?:capable |GPUs|device)",
         r"Torch not compiled with CUDA", r"CUDA driver version is insufficient",
         r"torch\.cuda\.is_available\(\) is False", r"CUDA_ERROR_NO_DEVICE", r"cudaErrorNoDevice",
         r"CUDA driver initialization failed", r"failed call to cuInit", r"[Nn]o NVIDIA driver",
         r"lib(?:cuda|cudart|cudnn|nvidia-ml|cublas)[^ ]*: cannot open shared object",
         r"nvidia-smi:? .*not found", r"[Nn]o GPUs? (?:found|available|detected)"),
    ),
    Cause(
        "no-network",
        "it wants the network, and a task has none",
        "the owner must put what it downloads into the image or into additional_files",
        (r"[Tt]emporary failure in name resolution", r"[Nn]ame or service not known",
         r"[Cc]ould not resolve host", r"NameResolutionError", r"getaddrinfo failed",
         r"[Nn]odename nor servname provided", r"Failed to resolve ", r"unable to resolve host",
         r"[Nn]etwork is unreachable", r"Network unreachable", r"UnknownHostException",
         r"[Ff]ailed to establish a new connection", r"Max retries exceeded with url",
         r"[Cc]ouldn't connect to server", r"We couldn't connect to", r"no such host",
         r"Temporary failure resolving"),
    ),
    Cause(
        "wrong-user",
        "it writes or reads where its user may not",
        "a task runs as you, not as root, on a read-only root: the owner must have it write to "
        "its outputs and to /tmp alone, and files in the image must be readable by everybody",
        (r"[Pp]ermission denied", r"\bPermissionError\b", r"getpwuid\(\): uid not found",
         r"[Rr]ead-only file system", r"[Oo]peration not permitted", r"\bEACCES\b", r"\bEROFS\b",
         r"cannot find name for user ID", r"[Nn]o such user", r"unknown userid"),
    ),
    Cause(
        "missing-module",
        "a Python module is not in the image",
        "its owner must add it; for sources: install it beside mpgit",
        (r"ModuleNotFoundError", r"No module named ", r"ImportError: cannot import name",
         r"there is no package called"),
    ),
    Cause(
        "wrong-processor",
        "the program was built for another kind of processor",
        "ask its owner for an image for this machine (`uname -m`)",
        (r"[Ee]xec format error", r"[Ii]llegal instruction", r"cannot execute binary file",
         r"image's platform .* does not match"),
        frozenset({132}),
    ),
    Cause(
        "missing-library",
        "a library is not in the image",
        "its owner must add it",
        (r"error while loading shared libraries", r"cannot open shared object file",
         r"version `[A-Z]+_[0-9.]+' not found"),
    ),
    Cause(
        "missing-program",
        "a program or file that the command names is not in the image",
        "see the command in the container's record, and the image's entrypoint",
        (r"(?:execvp|failed to exec) .*: No such file or directory", r"executable file not found",
         r"\bexec .*failed: No such file", r"[Cc]ommand not found", r": (?:\d+: )?\S+: not found$",
         r"can't open file .*No such file or directory", r"stat .*: no such file or directory"),
        frozenset({126, 127}),
    ),
)  # fmt: skip
"""Special ones before general ones: of those that a line matches, the first counts."""

_PATTERNS: Final = tuple((cause, re.compile("|".join(cause.messages))) for cause in CAUSES)


def likely_cause(exit_code: int | None, *texts: str) -> Cause | None:
    """The likely cause of a failure, or None where nothing tells of one.

    The last line that tells counts: it is the nearest to the end. An exit code by itself counts
    where no line does.

    Args:
        exit_code: how the task ended, if it did.
        texts: what it printed; the one that tells more often first.
    """
    for text in texts:
        for line in reversed(text.splitlines()[-_LINES:]):
            for cause, pattern in _PATTERNS:
                if pattern.search(line):
                    return cause
    return next((cause for cause in CAUSES if exit_code in cause.exits), None)
