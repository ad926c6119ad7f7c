"""What fuzzing begins with: every record and signature of a simulated registry, and pieces.

Example:
    >>> sorted(seeds("codec"))[0].startswith(b"# yaml-language-server")
    True
"""

from __future__ import annotations

from typing import Final

from medperf_git.store.paths import Place
from tests.attacks.sshsig import sk_signed, unarmour
from tests.records.samples import KINDS, sample
from tests.support.simulator import full_registry, private_key, spell

_PIECES: Final = {
    "codec": (
        *("# yaml-language-server: $schema=", "kind: ", "- ", "  ", '"', "\\\\", "\\u00E9", ": "),
        *("true", "null", "~", "1.0e-07", "9007199254740991", "-0.0", "[]", "{}", "&a", "*a", "<<"),
        *("!!str ", "---", "...", "%YAML", "\\U0001F600", "no", "12:30:45", "010", "0x10", ".nan"),
    ),
    "sshsig": (
        *("SSHSIG", "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "sha512", "sha256", "ssh:"),
        *("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----", "mpgit-result-v1@00"),
    ),
}


def seeds(target: str) -> list[bytes]:
    """Good inputs of a target."""
    files = {path: payload for path, (_, payload) in full_registry().tree.files.items()}
    if target == "codec":
        place = Place("dataset", "ky/opt", 1)  # of its first line, whatever the kind
        samples = [spell(place, sample(kind)) for kind in KINDS]
        return [payload for path, payload in files.items() if path.endswith(".yaml")] + samples
    signatures = [payload for path, payload in files.items() if path.endswith(".sig")][:8]
    signatures.append(sk_signed(b"other", "mpgit-result-v1@00", private_key("ky")))
    return signatures + [unarmour(signature) for signature in signatures]


def dictionary(target: str) -> str:
    """Pieces that inputs are made of, as libFuzzer reads them."""
    escaped = [piece.replace("\\\\", "\\").replace("\\", "\\\\") for piece in _PIECES[target]]
    return "".join('"' + piece.replace('"', '\\"') + '"\n' for piece in escaped)
