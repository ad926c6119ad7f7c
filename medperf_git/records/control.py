"""The control record: a signed digest of everything outside ``registry/``.

Asked for where the root says ``control_plane: signed``.

Example:
    >>> Control.model_fields["id"].annotation
    typing.Literal['control']
"""

from __future__ import annotations

from typing import Literal

from medperf_git.records.base import Record, Revision, Sha256, Text


class Control(Record):
    """Administrators' consent to what stands outside `registry/`."""

    kind: Literal["control"]
    """Always `control`."""
    id: Literal["control"]
    """Always `control`."""
    revision: Revision
    """Counts the control records."""
    tree: Sha256
    """The fingerprint over every file outside `registry/`: path with mode, size, digest."""
    reason: Text
    """What was changed, for people."""
