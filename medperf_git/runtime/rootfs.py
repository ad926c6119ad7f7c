"""Unpacking an image archive's layers into a root file system of our own.

Layers are hostile: every name is resolved inside the new root, links are made but never
followed out of it, devices are left out and special bits dropped. Whiteouts remove what lower
layers brought. The result lies in the cache under the archive's digest, read-only in use.
Does not run it (``sandbox_engine`` does).

Example::

    rootfs = unpacked(model.image, artefacts)
    rootfs.folder, rootfs.entrypoint
"""

from __future__ import annotations

import json
import os
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from medperf_git.errors import ArtefactError
from medperf_git.records.container import ArchiveImage
from medperf_git.runtime.artefacts import ArtefactStore, keep, remove
from medperf_git.runtime.extract import Budget, inner_path, reading, write_member
from medperf_git.runtime.image_archive import ImageArchive

_GIB: Final = 1024**3
_MAX_SIZE: Final = 64 * _GIB
_MAX_ENTRIES: Final = 2_000_000
_MAX_LINKS: Final = 40
_MAX_WORDS: Final = 200
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Rootfs:
    """An unpacked image and how it wants to be started."""

    folder: Path
    entrypoint: tuple[str, ...] = ()
    working_folder: str = "/"
    environment: dict[str, str] = field(default_factory=dict)


def unpacked(image: ArchiveImage, artefacts: ArtefactStore) -> Rootfs:
    """The image's root file system, unpacked once and kept.

    Raises:
        ArtefactError: the archive is missing, has another digest or is no usable image.
        EngineError: `image-not-admitted`: its layers are compressed as only other engines can read.
    """
    artefacts.hold()
    kept = artefacts.cache / "rootfs" / image.sha256
    if not (kept / "start.json").is_file():
        archive = artefacts.file(image)
        with artefacts.scratch() as scratch:
            made = scratch / "rootfs"
            made.mkdir()
            with ImageArchive(archive) as opened:
                _unpack(opened, made / "root")
                start = start_of(opened.config, archive)
            (made / "start.json").write_text(json.dumps(start))
            keep(made, kept)
    start = json.loads((kept / "start.json").read_text())
    return Rootfs(
        folder=kept / "root",
        entrypoint=tuple(start["entrypoint"]),
        working_folder=start["working_folder"],
        environment=start["environment"],
    )


def start_of(config: dict[str, Any], place: Path) -> dict[str, Any]:
    """Entrypoint, folder and variables; the task's command takes the place of `Cmd`.

    Raises:
        ArtefactError: `bad-archive`.
    """
    settings = config.get("config") or {}
    try:
        words = [str(word) for word in settings.get("Entrypoint") or ()]
        pairs = [str(pair).partition("=") for pair in settings.get("Env") or ()]
        folder = str(settings.get("WorkingDir") or "/")
    except (AttributeError, TypeError) as error:
        raise ArtefactError(
            "the image's configuration is broken", code="bad-archive", place=str(place)
        ) from error
    texts = [*words, folder, *(text for pair in pairs for text in pair)]
    if len(texts) > 3 * _MAX_WORDS or any("\0" in text for text in texts):
        raise ArtefactError(
            "the image's configuration is not usable", code="bad-archive", place=str(place)
        )
    return {
        "entrypoint": words,
        "working_folder": folder,
        "environment": {name: value for name, _, value in pairs if name},
    }


def _unpack(archive: ImageArchive, root: Path) -> None:
    root.mkdir(mode=0o755)
    budget = Budget(size=_MAX_SIZE, entries=_MAX_ENTRIES)
    for name in archive.layers:
        with (
            reading(archive.path),
            archive.open_layer(name) as stream,
            tarfile.open(fileobj=stream, mode="r|*") as layer,
        ):
            _unpack_layer(layer, root, budget)


def _unpack_layer(layer: tarfile.TarFile, root: Path, budget: Budget) -> None:
    fresh: set[Path] = set()
    for member in layer:
        budget.enter(member.name[:200])
        inner = inner_path(member.name.lstrip("/"))
        if inner.name:
            folder = _folder(root, inner.parent)
            _place(layer, member, root=root, path=folder / inner.name, fresh=fresh, budget=budget)


def _place(
    layer: tarfile.TarFile,
    member: tarfile.TarInfo,
    *,
    root: Path,
    path: Path,
    fresh: set[Path],
    budget: Budget,
) -> None:
    """One entry of a layer; `fresh` is what this layer brought, which whiteouts spare."""
    if path.name.startswith(_WHITEOUT):
        _white_out(path, fresh)
        return
    is_folder = path.is_dir() and not path.is_symlink()
    if not (member.isdir() and is_folder) and (is_folder or os.path.lexists(path)):
        remove(path)
    fresh.update((path, *path.parents))
    if member.isdir():
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
    elif member.issym():
        path.symlink_to(member.linkname)
    elif member.islnk():
        _hard_link(root, path, member)
    elif member.isfile():
        _file(layer.extractfile(member), path, member, budget)
    # Devices and pipes are left out: the engine brings its own `/dev`.


def _white_out(path: Path, fresh: set[Path]) -> None:
    """Remove what lower layers brought: one name, or all of a folder."""
    hidden = path.name.removeprefix(_WHITEOUT)
    if path.name == _OPAQUE:
        _clear(path.parent, fresh)
    elif hidden in ("", ".", ".."):
        raise _bad(f"a whiteout of nothing: {path.name!r}")
    else:
        remove(path.parent / hidden)


def _clear(folder: Path, fresh: set[Path]) -> None:
    """Remove what lower layers brought, at any depth: the whiteout may come last."""
    for child in list(folder.iterdir()):
        if child not in fresh:
            remove(child)
        elif child.is_dir() and not child.is_symlink():
            _clear(child, fresh)


def _file(source: IO[bytes] | None, path: Path, member: tarfile.TarInfo, budget: Budget) -> None:
    if source is None:
        return
    budget.spend(member.size, member.name[:200])
    write_member(source, path, member)
    path.chmod(0o755 if member.mode & 0o111 else 0o644)


def _hard_link(root: Path, path: Path, member: tarfile.TarInfo) -> None:
    inner = inner_path(member.linkname.lstrip("/"))
    target = _folder(root, inner.parent) / inner.name
    try:
        status = target.lstat()
        if stat.S_ISLNK(status.st_mode):
            path.symlink_to(target.readlink())
        elif stat.S_ISREG(status.st_mode):
            os.link(target, path, follow_symlinks=False)
        else:
            raise _bad(f"a hard link to something else: {member.name[:200]!r}")
    except FileNotFoundError as error:
        raise _bad(f"a hard link to nothing: {member.name[:200]!r}") from error


def _folder(root: Path, inner: PurePosixPath) -> Path:
    """A folder inside the root, made where missing; links are followed inside the root only."""
    here, waiting, links = root, list(reversed(inner.parts)), 0
    while waiting:
        part = waiting.pop()
        if part in ("", "/", "."):
            continue
        if part == "..":
            here = here if here == root else here.parent
            continue
        step = here / part
        if step.is_symlink():
            links += 1
            if links > _MAX_LINKS:
                raise _bad(f"links in a circle: {str(inner)[:200]!r}")
            target = PurePosixPath(step.readlink())
            here = root if target.is_absolute() else here
            waiting += reversed(target.parts)
            continue
        if not step.is_dir():
            step.unlink(missing_ok=True)
            step.mkdir(mode=0o755)
        here = step
    return here


def _bad(message: str) -> ArtefactError:
    return ArtefactError(f"an image layer holds {message}", code="unsafe-archive")
