"""Reading image archives: `docker save` and OCI layouts, plain or compressed.

Says which configuration and which layers make the image, and writes the same image as an
archive that every Docker loads without touching anybody's tags. Does not unpack layers
(``rootfs`` does), and leaves the archive's own digest to ``artefacts``.

Example::

    with ImageArchive(path) as image:
        image.config["config"]["Env"], len(image.layers)
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Final, Self

from medperf_git.errors import ArtefactError, EngineError
from medperf_git.runtime.extract import reading

_MAX_JSON: Final = 4 * 1024 * 1024
_MAX_MEMBERS: Final = 10_000
_MAX_LAYERS: Final = 200
_MAX_LINKS: Final = 10
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class ImageArchive:
    """One image in an archive; use it as a context manager.

    Attributes:
        config_bytes: the image's configuration, whose SHA-256 is the image's id.
        config: the same, parsed.
        layers: names of the layers in the archive, lowest first.
    """

    def __init__(self, path: Path) -> None:
        """Open the archive and find its image.

        Raises:
            ArtefactError: `bad-archive`: no image, several images, or broken.
        """
        self.path = path
        with reading(path):
            self._tar = tarfile.open(path, "r:*")  # noqa: SIM115 (closed in __exit__)
            self._members = self._index()
        try:
            config, self.layers = self._manifest()
            self.config_bytes = self._read(config)
            self.config = self._mapping(self.config_bytes, config)
        except BaseException:
            self._tar.close()
            raise

    @property
    def image_id(self) -> str:
        """`sha256:…` of the configuration: how Docker names the image."""
        return "sha256:" + hashlib.sha256(self.config_bytes).hexdigest()

    def _index(self) -> dict[str, tarfile.TarInfo]:
        members: dict[str, tarfile.TarInfo] = {}
        for member in self._tar:
            if len(members) > _MAX_MEMBERS:
                raise self._bad("too many entries")
            members[str(PurePosixPath(member.name))] = member
        return members

    def _manifest(self) -> tuple[str, list[str]]:
        """Names of the configuration and the layers, from whichever manifest there is."""
        if "manifest.json" in self._members:
            manifests = self._json("manifest.json")
            with suppress(KeyError, TypeError, ValueError):
                (only,) = manifests
                return str(only["Config"]), self._few(only["Layers"])
        elif "index.json" in self._members:
            with suppress(KeyError, TypeError, ValueError):
                manifest = self._oci_manifest(self._json("index.json"))
                layers = [_blob(layer["digest"]) for layer in manifest["layers"]]
                return _blob(manifest["config"]["digest"]), self._few(layers)
        raise self._bad("it does not hold exactly one image")

    def _few(self, layers: list[str]) -> list[str]:
        if len(layers) > _MAX_LAYERS:
            raise self._bad(f"{len(layers)} layers")
        return [str(name) for name in layers]

    def _oci_manifest(self, index: Any, depth: int = 0) -> Any:
        """The one image manifest; signatures and other attachments have no layers to run."""
        found = [
            entry
            for entry in index["manifests"]
            if entry.get("annotations", {}).get("vnd.docker.reference.type") is None
        ]
        (only,) = found
        document = self._json(_blob(only["digest"]))
        if "manifests" in document and depth < _MAX_LINKS:
            return self._oci_manifest(document, depth + 1)
        return document

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._read(name))
        except (ValueError, RecursionError) as error:
            raise self._bad(f"{name} is not JSON") from error

    def _mapping(self, payload: bytes, name: str) -> dict[str, Any]:
        try:
            data = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise self._bad(f"{name} is not JSON") from error
        if not isinstance(data, dict):
            raise self._bad(f"{name} is not a mapping")
        return data

    def _read(self, name: str) -> bytes:
        member = self._member(name)
        if member.size > _MAX_JSON:
            raise self._bad(f"{name} has {member.size} bytes")
        with reading(self.path), self.open_member(member) as stream:
            return stream.read()

    def _member(self, name: str) -> tarfile.TarInfo:
        """An entry by name; older `docker save` links equal layers to each other."""
        path = PurePosixPath(name)
        for _ in range(_MAX_LINKS):
            member = self._members.get(str(path))
            if member is None:
                break
            if member.isfile():
                return member
            if not member.issym() and not member.islnk():
                break
            path = _joined(path.parent if member.issym() else PurePosixPath(), member.linkname)
        raise self._bad(f"{name[:200]} is missing")

    def open_member(self, member: tarfile.TarInfo) -> IO[bytes]:
        """An entry's bytes."""
        stream = self._tar.extractfile(member)
        if stream is None:
            raise self._bad(f"{member.name[:200]} has no contents")
        return stream

    def open_layer(self, name: str) -> IO[bytes]:
        """A layer's bytes, possibly compressed.

        Raises:
            EngineError: `image-not-admitted`: in a way that Python can't read.
        """
        stream = self.open_member(self._member(name))
        if stream.read(len(_ZSTD)) == _ZSTD:
            raise EngineError(
                "a layer is compressed with Zstandard, which the sandbox can't read",
                code="image-not-admitted",
                place=str(self.path),
                advice="use --engine docker or apptainer; or have its owner save it with gzip",
            )
        stream.seek(0)
        return stream

    def write_docker_archive(self, target: Path) -> None:
        """Write the image as `docker load` takes it, of any age, without tags."""
        names = [f"layer{number}.tar" for number in range(len(self.layers))]
        manifest = [{"Config": "config.json", "RepoTags": None, "Layers": names}]
        with reading(self.path), tarfile.open(target, "w") as archive:
            for name, layer in zip(names, self.layers, strict=True):
                source = self._member(layer)
                with self.open_member(source) as stream:
                    _add(archive, name, source.size, stream)
            _add(archive, "config.json", len(self.config_bytes), io.BytesIO(self.config_bytes))
            payload = json.dumps(manifest).encode()
            _add(archive, "manifest.json", len(payload), io.BytesIO(payload))

    def _bad(self, message: str) -> ArtefactError:
        return ArtefactError(
            f"not a usable image archive: {message}", code="bad-archive", place=str(self.path)
        )

    def __enter__(self) -> Self:
        """The archive itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._tar.close()


def _blob(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"blobs/{algorithm}/{value}"


def _joined(folder: PurePosixPath, link: str) -> PurePosixPath:
    parts: list[str] = []
    for part in (*folder.parts, *PurePosixPath(link).parts):
        if part == ".." and parts:
            parts.pop()
        elif part != "..":
            parts.append(part)
    return PurePosixPath(*parts)


def _add(archive: tarfile.TarFile, name: str, size: int, stream: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    archive.addfile(entry, stream)
