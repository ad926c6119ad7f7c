"""Tokens for hosts: where one comes from, and where it is kept.

A token is looked for in the environment, in what `mpgit login` kept, and with the GitHub CLI, in
this order; each only for the host that it was made for. What is kept lies in the system's keyring
where one works, or else in a file for its owner alone. Asks no host whether a token is good
(``device_flow`` does) and prints nothing.

Example:
    >>> import tempfile
    >>> store = TokenStore(Path(tempfile.mkdtemp()))
    >>> store.hosts()
    []
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from medperf_git.atomic import lock, write_bytes
from medperf_git.errors import InputError
from medperf_git.forge.login_host import ADDRESS, GITHUB, GITLAB, Kind, LoginHost, named_host
from medperf_git.forge.secret import TOKEN, Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

AnswerT = TypeVar("AnswerT")

KEYRING: Final = "the system's keyring"
GH: Final = "gh auth token"
_GITHUB_VARIABLES: Final = ("GH_TOKEN", "GITHUB_TOKEN")
_ENTERPRISE_VARIABLES: Final = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
VARIABLES: Final = (
    *_GITHUB_VARIABLES,
    *_ENTERPRISE_VARIABLES,
    "GH_HOST",
    "GITLAB_TOKEN",
    "GITLAB_HOST",
)
"""Every variable that is looked at."""
_GH_SECONDS: Final = 10.0
_KEYRING_SECONDS: Final = 60.0
"""How long a keyring may take: it may ask the person for its password, or never answer."""
_LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Found:
    """A token, and where it comes from in plain words."""

    secret: Secret
    source: str


def find_token(host: str, kind: Kind, store: TokenStore) -> Found | None:
    """The token for a host: from the environment, then what is kept, then the GitHub CLI's.

    Which variable is for which host follows the GitHub CLI, but stricter: one that is meant for
    github.com goes to no other host, also not to `*.ghe.com`; and where `$GH_HOST` names a
    server, the variables for servers are for that one alone.

    Raises:
        InputError: a variable holds no token; others can read the file; only the keyring has
            it, and does not give it.
    """
    name = LoginHost.read(host, kind).name
    for variable in _variables(name, kind):
        text = os.environ.get(variable, "").strip()
        if text:
            return Found(_of_variable(variable, text), f"${variable}")
    locked: InputError | None = None
    try:
        kept = store.get(name)
        if kept is not None:
            return Found(kept, store.where(name) or str(store.file))
    except InputError as error:
        if error.code != "keyring-locked":
            raise
        locked = error
    given = _from_gh(name) if kind == "github" else None
    if given is not None:
        return Found(given, GH)
    if locked is not None:
        raise locked
    return None


def likely_hosts(store: TokenStore) -> list[str]:
    """The hosts that there may be a token for: those kept, and those that variables are for."""
    named = (GITHUB, named_host("GH_HOST"), named_host("GITLAB_HOST") or GITLAB)
    return list(dict.fromkeys([*store.hosts(), *filter(None, named)]))


class TokenStore:
    """Tokens that were kept, by host: in the system's keyring, or in a file.

    ``tokens.json`` names every host; beside it stands the token, or null where the keyring has
    it. Each folder has tokens of its own, in the keyring too.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tokens.json"
        self._lock = folder / "lock"
        self._owner = str(folder.absolute())

    def hosts(self) -> list[str]:
        """Every host that a token is kept for.

        Raises:
            InputError: others can read the file, or it is damaged.
        """
        return sorted(self._read())

    def where(self, host: str) -> str | None:
        """Where a host's token is kept, in plain words.

        Raises:
            InputError: as `hosts`.
        """
        name, kept = LoginHost.read(host).name, self._read()
        if name not in kept:
            return None
        return KEYRING if kept[name] is None else f"the file {self.file}"

    def get(self, host: str) -> Secret | None:
        """The token that is kept for a host.

        Raises:
            InputError: as `hosts`; `keyring-locked`: the keyring has it and does not give it.
        """
        name, kept = LoginHost.read(host).name, self._read()
        if name not in kept:
            return None
        text = kept[name]
        if text is None:
            service = _service(name)
            text = _from_keyring(name, lambda it: it.get_password(service, self._owner))
        # Somebody may have taken it out of the keyring with another program.
        return None if text is None else Secret(text)

    def set(self, host: str, secret: Secret) -> str:
        """Keep a host's token in place of the one before; returns where, in plain words.

        Raises:
            InputError: as `hosts`; or the file can't be written.
        """
        name, service = LoginHost.read(host).name, _service(LoginHost.read(host).name)
        before = self._read()

        def keep(backend: KeyringBackend) -> bool:
            backend.set_password(service, self._owner, secret.reveal())
            # Some take what they are given and keep nothing.
            return backend.get_password(service, self._owner) == secret.reveal()

        in_keyring = False
        with suppress(_KeyringError):
            in_keyring = _ask_keyring(keep)
        if not in_keyring and before.get(name, "") is None:
            with suppress(_KeyringError):
                _ask_keyring(lambda it: it.delete_password(service, self._owner))
        with self._changing() as kept:
            kept[name] = None if in_keyring else secret.reveal()
        return KEYRING if in_keyring else f"the file {self.file}"

    def remove(self, host: str) -> bool:
        """Forget a host's token; whether there was one.

        Raises:
            InputError: as `get`; then it is still kept.
        """
        name, kept = LoginHost.read(host).name, self._read()
        if name not in kept:
            return False
        if kept[name] is None:
            service = _service(name)

            def forget(backend: KeyringBackend) -> None:
                if backend.get_password(service, self._owner) is not None:
                    backend.delete_password(service, self._owner)

            _from_keyring(name, forget)
        with self._changing() as kept:
            kept.pop(name, None)
        return True

    def _read(self) -> dict[str, str | None]:
        try:
            with self.file.open("rb") as opened:
                mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
                payload = opened.read()
        except FileNotFoundError:
            return {}
        if mode & 0o077:
            raise InputError(
                f"others on this machine can read the tokens (mode {mode:04o})",
                code="open-tokens",
                place=str(self.file),
                advice=f"chmod 600 {shlex.quote(str(self.file))}; if somebody may have read it, "
                "revoke the tokens at the host",
            )
        return self._parsed(payload)

    def _parsed(self, payload: bytes) -> dict[str, str | None]:
        try:
            data = json.loads(payload)
        except ValueError as error:
            raise self._damaged("not JSON") from error
        if not isinstance(data, dict):
            raise self._damaged("not a mapping")
        for name, text in data.items():
            good = text is None or (isinstance(text, str) and TOKEN.fullmatch(text))
            if not good or not ADDRESS.fullmatch(name):
                raise self._damaged("not a token for each host")
        return data

    def _damaged(self, why: str) -> InputError:
        path = shlex.quote(str(self.file))
        return InputError(
            f"damaged: {why}",
            code="damaged-file",
            place=str(self.file),
            advice=f"log in again without it: rm {path}",
        )

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str | None]]:
        with lock(self._lock, wait_seconds=_LOCK_SECONDS):
            kept = self._read()
            yield kept
            text = json.dumps(kept, indent=2, sort_keys=True) + "\n"
            write_bytes(self.file, text.encode(), mode=0o600)


# --- the environment -----------------------------------------------------------------------


def _variables(name: str, kind: Kind) -> tuple[str, ...]:
    """The variables whose token may go to this host."""
    if kind == "gitlab":
        return ("GITLAB_TOKEN",) if name == (named_host("GITLAB_HOST") or GITLAB) else ()
    if name == GITHUB:
        return _GITHUB_VARIABLES
    if name.endswith((".github.com", ".ghe.com")):
        return ()
    # gh itself sends these to any other host; but here a registry's address comes from strangers,
    # and a host says itself that it is GitHub's.
    return _ENTERPRISE_VARIABLES if named_host("GH_HOST") == name else ()


def _of_variable(variable: str, text: str) -> Secret:
    try:
        return Secret(text)
    except InputError as error:
        raise InputError(
            error.message, code=error.code, place=f"${variable}", advice=error.advice
        ) from error


def _from_gh(name: str) -> Secret | None:
    """What the GitHub CLI has for a host, if it is installed and logged in."""
    if name.endswith(".github.com"):
        return None  # it would answer with the token for github.com
    try:
        done = subprocess.run(
            ["gh", "auth", "token", "--hostname", name],
            env=_environment_of_gh(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GH_SECONDS,
            check=False,
        )
        return Secret(done.stdout.decode("ascii").strip()) if done.returncode == 0 else None
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError, InputError):
        return None


def _environment_of_gh(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variables that it would repeat for hosts that they are not for."""
    ours = {*_GITHUB_VARIABLES, *_ENTERPRISE_VARIABLES}
    rest = {name: value for name, value in environment.items() if name not in ours}
    return rest | {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1"}


# --- the system's keyring ------------------------------------------------------------------


class _KeyringError(Exception):
    """There is no keyring, or it is locked, or it failed."""


def _service(name: str) -> str:
    return f"mpgit:{name}"


def _from_keyring(name: str, action: Callable[[KeyringBackend], AnswerT]) -> AnswerT:
    """What the keyring answers where it alone has a host's token.

    Raises:
        InputError: `keyring-locked`.
    """
    try:
        return _ask_keyring(action)
    except _KeyringError as error:
        raise InputError(
            f"the token for {name} is in {KEYRING}, which does not give it",
            code="keyring-locked",
            advice=f"unlock the keyring (log in to the desktop), or mpgit login {name} again",
        ) from error


def _ask_keyring(action: Callable[[KeyringBackend], AnswerT]) -> AnswerT:
    """What the keyring answers, in a thread that is left behind if it never does.

    Raises:
        _KeyringError: there is none, it is locked, it failed, or it takes too long.
    """
    answer: Future[AnswerT] = Future()

    def ask() -> None:
        try:
            answer.set_result(action(_backend()))
        except Exception as error:  # noqa: BLE001 (backends are other people's, and raise anything)
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        trouble = answer.exception(timeout=_KEYRING_SECONDS)
    except TimeoutError as error:
        raise _KeyringError("no answer") from error
    if trouble is not None:
        # Its kind alone: a backend's text may hold what it was given.
        raise _KeyringError(type(trouble).__name__)
    return answer.result()


def _backend() -> KeyringBackend:
    # Start-up cost: finding the backends takes longer than all else that a command does.
    import keyring  # noqa: PLC0415
    from keyring.backends import chainer, fail, null  # noqa: PLC0415

    found = keyring.get_keyring()
    members = found.backends if isinstance(found, chainer.ChainerBackend) else [found]
    if not [one for one in members if not isinstance(one, fail.Keyring | null.Keyring)]:
        raise _KeyringError("none")
    return found
