r"""Connects ``git fetch-pack`` to a web address, by git's own helper and protocol version 2.

``fetch-pack`` alone does not speak to the web, and ``git fetch`` walks all of what it has. Between
the two run packets of the protocol (gitprotocol-v2(5), gitremote-helpers(7): `stateless-connect`);
one thing is added to them: which refs are asked for, or a host would list every request there ever
was. Does not understand what else is said.

Example:
    >>> packet(b"ref-prefix refs/heads/main\n")
    b'001fref-prefix refs/heads/main\n'
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast

_LIST: Final = b"command=ls-refs"
_FLUSH: Final = b"0000"
_DELIMITER: Final = b"0001"
_ERROR: Final = b"ERR "
_HEAD: Final = 4
_CHUNK: Final = 1 << 16
_OURS: Final = "a part of a long history\n"


class HostRefusedError(Exception):
    """What a host says instead of an answer (`ERR`, gitprotocol-pack(5))."""


def packet(payload: bytes) -> bytes:
    """One packet: its length in four hexadecimal digits, and what it says."""
    return b"%04x" % (len(payload) + _HEAD) + payload


def listed(helper: subprocess.Popen[bytes], prefixes: Iterable[str]) -> dict[str, str] | None:
    """The refs that the other side has, by how their names begin: full name → id.

    Args:
        helper: git's web helper, connected to the service; its pipes are open.
        prefixes: how the names begin.

    Returns:
        None where there was no whole answer.

    Raises:
        HostRefusedError: the other side says no.
    """
    ask, answers = pipes(helper)
    if _until_flush(answers) is None:  # what the other side can do
        return None
    wanted = [packet(f"ref-prefix {prefix}\n".encode()) for prefix in prefixes]
    with suppress(BrokenPipeError):
        ask.write(b"".join([packet(_LIST + b"\n"), _DELIMITER, *wanted, _FLUSH]))
        ask.close()
    said = _until_flush(answers)
    lines = (line.decode("utf-8", "replace").split() for line in said or ())
    return None if said is None else {words[1]: words[0] for words in lines if words[1:]}


def _until_flush(stream: IO[bytes]) -> list[bytes] | None:
    """What packets say up to the one that ends them; None where it did not come."""
    said: list[bytes] = []
    for each in _packets(stream):
        if each == _FLUSH:
            return said
        if each[_HEAD:].startswith(_ERROR):
            raise HostRefusedError(each[_HEAD:].decode("utf-8", "replace").strip())
        said.append(each[_HEAD:])
    return None


def relay(
    helper: subprocess.Popen[bytes],
    packer: subprocess.Popen[bytes],
    wanted: Iterable[str],
    prefixes: Sequence[str],
) -> int:
    """Lets the two speak until all is there, or one of them died.

    Args:
        helper: git's web helper, connected to the service; its pipes are open.
        packer: ``fetch-pack --stateless-rpc --stdin``; its pipes are open.
        wanted: what to fetch: names of refs there, or ids.
        prefixes: how the names of refs that are listed begin.

    Returns:
        What `packer` ended with.
    """
    (to_helper, answers), (to_packer, asked) = pipes(helper), pipes(packer)
    pump = threading.Thread(target=_pump, args=(answers, to_packer, list(wanted)), daemon=True)
    pump.start()
    with suppress(BrokenPipeError):  # a helper that died has said why
        for part in _with_prefixes(_packets(asked), prefixes):
            to_helper.write(part)
            to_helper.flush()
    with suppress(BrokenPipeError):
        to_helper.close()
    pump.join()
    return packer.wait()


def pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """What a process reads and what it says, where both are pipes."""
    return cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)


def _pump(answers: IO[bytes], to_packer: IO[bytes], wanted: Sequence[str]) -> None:
    """What is wanted, then whatever the other side says."""
    with suppress(OSError), to_packer:
        to_packer.writelines(packet(name.encode()) for name in wanted)
        to_packer.write(_FLUSH)
        to_packer.flush()
        while part := answers.read1(_CHUNK):  # type: ignore[attr-defined]
            to_packer.write(part)
            to_packer.flush()


def _packets(stream: IO[bytes]) -> Iterator[bytes]:
    """Packets, as long as there are any; what is said after them is for nobody."""
    while len(head := stream.read(_HEAD)) == _HEAD:
        try:
            length = int(head, 16)
        except ValueError:
            return
        yield head + (stream.read(length - _HEAD) if length > _HEAD else b"")


def _with_prefixes(packets: Iterator[bytes], prefixes: Sequence[str]) -> Iterator[bytes]:
    """The packets, and in the one question for refs the names that are meant."""
    lists = False
    for each in packets:
        lists = lists or each[_HEAD:].startswith(_LIST)
        if lists and each == _FLUSH:
            lists = False
            for prefix in prefixes:
                yield packet(f"ref-prefix {prefix}\n".encode())
        yield each


def let_go(packs: Path, process: int, *, keep: bool = False) -> None:
    """Removes the marks by which a ``fetch-pack`` keeps its packs from being put together.

    It names itself in them, and does not always say where they are.

    Args:
        packs: the folder of packs.
        process: the `fetch-pack`, which has ended.
        keep: they stay, but as ours.
    """
    for mark in packs.glob("*.keep"):
        with suppress(OSError):
            if not mark.read_text().startswith(f"fetch-pack {process} on "):
                continue
            if keep:
                mark.chmod(0o600)
                mark.write_text(_OURS)
            else:
                mark.unlink()
