"""Small files of the client's own that nobody else may have written.

A sealed file carries a code over its name and contents, by a key that lies in the client's home.
What was damaged, changed by hand, renamed or copied from another home can't be unsealed. It is no
secret, and no defence against who can read the key: that one can sign as this client anyway.

Example:
    >>> import tempfile
    >>> home = Home(Path(tempfile.mkdtemp()))
    >>> seal(home, home.synced("r"), {"commits": 3})
    >>> unseal(home, home.synced("r"))
    {'commits': 3}
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from medperf_git.atomic import write_bytes
from medperf_git.errors import InputError
from medperf_git.store.home import Home, read_json, write_json

_KEY_BYTES: Final = 32
_CODE: Final = "code"


def seal(home: Home, path: Path, data: Mapping[str, Any]) -> None:
    """Writes a sealed file.

    Raises:
        InputError: it can't be written.
    """
    write_json(path, {**data, _CODE: _code(home, path, data)})


def unseal(home: Home, path: Path) -> dict[str, Any] | None:
    """What `seal` wrote there; None where there is nothing, or nothing of ours."""
    try:
        data = read_json(path) or {}
    except (InputError, OSError):
        return None
    code = data.pop(_CODE, None)
    good = isinstance(code, str) and hmac.compare_digest(
        code.encode(), _code(home, path, data).encode()
    )
    return data if good else None


def _code(home: Home, path: Path, data: Mapping[str, Any]) -> str:
    said = json.dumps([path.name, data], sort_keys=True).encode()
    return hmac.new(_key(home), said, sha256).hexdigest()


def _key(home: Home) -> bytes:
    try:
        key = home.audit_key.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) != _KEY_BYTES:
        key = secrets.token_bytes(_KEY_BYTES)
        write_bytes(home.audit_key, key)
    return key
