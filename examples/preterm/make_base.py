"""Make the Docker base image on which the example's MLCubes stand.

The image holds Debian 12 with python3, numpy, scipy and scikit-learn from Debian's own packages,
and nothing of the example. It is made by ``mmdebstrap`` (no image is pulled) from the mirrors that
this machine's apt already uses; their addresses do not end up in the image.

What it does not do: push the image, or refresh one that exists. To refresh, remove the tag first.

    $ python3 make_base.py preterm-base:1
    preterm-base:1
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = "bookworm"
PACKAGES = ("python3", "python3-numpy", "python3-scipy", "python3-sklearn")

# Files that dpkg need not unpack: they are never read in a container. scipy's package depends on a
# C++ compiler, which no MLCube needs and which would be a third of the image.
EXCLUDED = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/include/*",
    "/usr/lib/gcc/*",
    "/usr/lib/*.a",
)
# The licences of what we ship stay in.
INCLUDED = ("/usr/share/doc/*/copyright",)

# Run when all is installed; "$1" is the new root. Python files are compiled already, by Debian's
# packages, which want their tests to be there while they do it. The apt configuration names the
# mirror of the machine that built the image: not for others to see.
CLEAN_UP = (
    'find "$1"/usr/lib/python3 -depth -type d -name tests -exec rm -r {} +',
    'find "$1"/usr/bin -name "*-linux-gnu-*" -delete',
    'find "$1"/usr/lib -name "lib*san.so*" -delete',
    'rm -rf "$1"/etc/apt/sources.list* "$1"/etc/apt/apt.conf.d/99mmdebstrap',
    'find "$1"/var/lib/apt/lists "$1"/var/cache "$1"/var/log -type f -delete',
)
# One thread: the tables are small, and starting more takes longer than the work.
ENVIRONMENT = ("PYTHONDONTWRITEBYTECODE=1", "OPENBLAS_NUM_THREADS=1", "LANG=C.UTF-8")


def apt_sources(suite: str, folder: Path = Path("/etc/apt")) -> list[Path]:
    """Return the apt source files of this machine that name ``suite``.

    Third-party sources seldom name a Debian suite, so they stay out. An empty list makes mmdebstrap
    use its default mirror.
    """
    found = [folder / "sources.list"]
    found += sorted((folder / "sources.list.d").glob("*.list"))
    found += sorted((folder / "sources.list.d").glob("*.sources"))
    return [path for path in found if path.is_file() and suite in path.read_text()]


def has_image(tag: str) -> bool:
    """Tell whether Docker holds an image with this tag."""
    done = subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False)
    return done.returncode == 0


def bootstrap(root_tar: Path) -> None:
    """Write the root file system to ``root_tar``."""
    settings = root_tar.with_suffix(".apt.conf")
    # Proxies and the like: what this machine's apt needs, mmdebstrap's apt needs too.
    dump = subprocess.run(["apt-config", "dump", "Acquire"], stdout=subprocess.PIPE, check=True)
    settings.write_bytes(dump.stdout)
    command = ["mmdebstrap", "--quiet", "--variant=essential", f"--aptopt={settings}"]
    command.append(f"--include={','.join(PACKAGES)}")
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    command += [f"--dpkgopt=path-include={pattern}" for pattern in INCLUDED]
    command += [f"--customize-hook={hook}" for hook in CLEAN_UP]
    command += [SUITE, str(root_tar), *map(str, apt_sources(SUITE))]
    subprocess.run(command, check=True, stdout=sys.stderr)


def make_base(tag: str) -> str:
    """Make the base image under ``tag`` unless it exists, and return ``tag``."""
    if has_image(tag):
        return tag
    with tempfile.TemporaryDirectory() as folder:
        root_tar = Path(folder) / "root.tar"
        bootstrap(root_tar)
        changes = [f"ENV {setting}" for setting in ENVIRONMENT] + ["WORKDIR /"]
        options = [word for change in changes for word in ("--change", change)]
        subprocess.run(
            ["docker", "import", *options, str(root_tar), tag],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return tag


if __name__ == "__main__":
    match sys.argv[1:]:
        case [wanted]:
            print(make_base(wanted))
        case _:
            sys.exit("usage: make_base.py TAG")
