"""A hardware token made of software, which OpenSSH's own programs sign with.

`token.c` is OpenSSH's middleware interface; the C compiler of this machine builds it once. Signing
takes the environment `{"SSH_SK_PROVIDER": provider(folder)}`.

Example::

    handle = new_key(tmp_path / "id_ed25519_sk", provider(tmp_path))
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "token.c"
UNTOUCHED = "MPGIT_TOKEN_UNTOUCHED"


def provider(folder: Path) -> str:
    """The path of the token's library, built into a folder where it is not there yet."""
    library = folder / "token.so"
    if not library.exists():
        words = ["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library)]
        subprocess.run([*words, str(SOURCE), "-lcrypto"], check=True)
    return str(library)


def new_key(path: Path, library: str) -> Path:
    """The handle of a new key on the token, as `ssh-keygen -t ed25519-sk` writes it."""
    words = ["ssh-keygen", "-q", "-t", "ed25519-sk", "-w", library, "-N", "", "-f", str(path)]
    subprocess.run(words, check=True, capture_output=True)
    return path
