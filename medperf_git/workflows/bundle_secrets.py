"""Hiding what must not stand in a bundle, wherever it may have come in: a second line of defence.

The first is that nothing enters but named fields. This one blots out what the environment says
is secret, addresses' passwords and tokens, private keys, and the names of this machine's folders.

Example:
    >>> Secrets(("hunter2",)).hide("the passphrase hunter2 for https://a:b@host/r.git")
    'the passphrase … for https://…@host/r.git'
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medperf_git.git.url import without_secrets
from medperf_git.store.home import Home

_SECRET_NAME: Final = re.compile(
    r"PASS|SECRET|TOKEN|CREDENTIAL|AUTH(?!OR)|API_?KEY|PRIVATE|_KEY$|_PAT$|COOKIE", re.IGNORECASE
)
_SHORTEST: Final = 4
_KEY: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)


@dataclass(frozen=True)
class Secrets:
    """What is blotted out.

    Attributes:
        words: secrets themselves.
        folders: this machine's folders, and what stands in their place.
    """

    words: tuple[str, ...] = ()
    folders: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, home: Home) -> Secrets:
        """Those of this process's environment, and the folders of this client."""
        words = {
            value
            for name, value in os.environ.items()
            if _SECRET_NAME.search(name) and len(value) >= _SHORTEST
        }
        folders = [(home.data, "$DATA"), (home.cache, "$CACHE"), (home.config, "$CONFIG")]
        folders.append((Path.home(), "~"))
        named = [(str(path), name) for path, name in folders if path != Path("/")]
        # Longest first: one may lie in another.
        return cls(
            tuple(sorted(words, key=len, reverse=True)),
            tuple(sorted(named, key=lambda pair: len(pair[0]), reverse=True)),
        )

    def hide(self, text: str) -> str:
        """The text without any of them."""
        for word in self.words:
            text = text.replace(word, "…")
        for folder, name in self.folders:
            text = text.replace(folder, name)
        return without_secrets(_KEY.sub("…", text))

    def hide_in(self, data: Any) -> Any:
        """Plain data without any of them in its texts."""
        if isinstance(data, str):
            return self.hide(data)
        if isinstance(data, Mapping):
            return {self.hide(str(key)): self.hide_in(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.hide_in(value) for value in data]
        return data
