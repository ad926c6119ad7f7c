"""The error tree: every failure that mpgit foresees, with a code, a place and advice.

Layers raise these and nothing else on purpose; only ``cli/`` turns them into text and an
exit code. Nothing here prints.

Example:
    >>> try:
    ...     raise InputError("no such key: ky", code="key-missing", advice="mpgit key create ky")
    ... except MpgitError as error:
    ...     print(error.code, "|", error.advice)
    key-missing | mpgit key create ky
"""

from __future__ import annotations

from typing import ClassVar


class MpgitError(Exception):
    """Base of all errors that mpgit raises.

    Attributes:
        code: stable, kebab-case, meant for scripts.
        place: where it is: a file, a record's path, a field, a commit.
        advice: how to mend it, usually the next command to type.
        detail: more for the person in front of this machine, such as the last lines of a task's
            log. It may hold patients' data: it stands apart from the message, so that no
            message, wherever it goes, ever carries it.
    """

    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        place: str | None = None,
        advice: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.place = place
        self.advice = advice
        self.detail = detail

    def as_dict(self) -> dict[str, str]:
        """The error as plain data, for ``--json`` here; keys without a value are left out."""
        fields = {
            "code": self.code,
            "message": self.message,
            "place": self.place,
            "advice": self.advice,
            "detail": self.detail,
        }
        return {name: value for name, value in fields.items() if value is not None}


class InputError(MpgitError):
    """What the caller typed or wrote (an option, a draft, a configuration file) is not usable."""

    default_code = "bad-input"


class CanonicalError(MpgitError):
    """Bytes that are not canonical YAML, or data that canonical YAML can't hold."""

    default_code = "not-canonical"


class RecordError(MpgitError):
    """Data that does not make a record of its kind."""

    default_code = "bad-record"


class TrustError(MpgitError):
    """A key or a signature that can't be read, made or believed."""

    default_code = "trust"


class GitError(MpgitError):
    """Git failed: no repository, no such revision, out of reach."""

    default_code = "git"


class RaceError(GitError):
    """Somebody else pushed first; nothing was lost, the caller may try again on the new base."""

    default_code = "race"


class HostError(GitError):
    """A host's interface refused something, or did not answer.

    Attributes:
        status: the HTTP status, where there was an answer.
    """

    default_code = "host"

    def __init__(self, message: str, *, status: int | None = None, **more: str | None) -> None:
        super().__init__(message, **more)
        self.status = status


class RegistryError(MpgitError):
    """A registry that is not one, has the wrong genesis, was rewritten, or lacks the record."""

    default_code = "registry"


class JudgedInvalidError(MpgitError):
    """The thing judged is invalid: a refused transition, a failing audit, a failed test."""

    default_code = "invalid"


class AwaitingError(MpgitError):
    """Nothing is wrong, but approvals are still missing."""

    default_code = "awaiting-approvals"


class ExecutionError(MpgitError):
    """A container's task failed, hung, broke its contract or was interrupted."""

    default_code = "execution-failed"


class EngineError(ExecutionError):
    """No engine is there, or it refused the container."""

    default_code = "engine"


class ArtefactError(ExecutionError):
    """An image, a source tree or a file is missing or is not what its digest says."""

    default_code = "artefact"


class CacheError(MpgitError):
    """What is kept to save time is not what it should be: thrown away, never a verdict."""

    default_code = "cache"
