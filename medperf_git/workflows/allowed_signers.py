"""An allowed-signers file, with which ``ssh-keygen -Y verify`` checks every signature.

One line a key and kind of record; the format is ssh-keygen(1)'s ALLOWED SIGNERS. All keys
that ever stood are listed: old signatures stay readable after a rotation.

Example:
    >>> from medperf_git.store.tree import MemoryTree
    >>> from medperf_git.store.snapshot import Snapshot
    >>> allowed_signers(Snapshot(MemoryTree({})))
    Traceback (most recent call last):
    medperf_git.errors.RegistryError: not a registry: registry/root/1.yaml is missing
"""

from __future__ import annotations

from medperf_git.records.kinds import KINDS
from medperf_git.records.namespace import namespace
from medperf_git.records.participant import Participant
from medperf_git.store.snapshot import Snapshot


def allowed_signers(snapshot: Snapshot) -> str:
    """The file's text.

    Raises:
        RegistryError: the tree holds no registry.
    """
    identity = snapshot.identity
    spaces = [namespace(kind, identity) for kind in sorted(KINDS)]
    spaces.append(namespace("root", identity, revision=1))
    quoted = ",".join(spaces)
    usage = (
        "# ssh-keygen -Y verify -f THIS_FILE -I PARTICIPANT "
        f"-n {namespace('KIND', identity)} -s N.PARTICIPANT.sig < N.yaml"
    )
    lines = [
        "# Every key that ever signed here. To verify a record N.yaml with its signature:",
        usage,
    ]
    known: dict[str, list[str]] = {}
    for place in snapshot.places("participant"):
        record = snapshot.load(place).record
        assert isinstance(record, Participant)  # noqa: S101 (the path's kind)
        keys = known.setdefault(record.id, [])
        keys += [key.public_key for key in record.keys if key.public_key not in keys]
    for participant in sorted(known):
        lines += [f'{participant} namespaces="{quoted}" {key}' for key in known[participant]]
    return "\n".join(lines) + "\n"
