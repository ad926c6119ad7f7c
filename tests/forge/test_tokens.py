"""Where a token comes from, where it is kept, and where it does not go."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import keyring
import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null
from keyring.errors import KeyringLocked

from medperf_git.errors import InputError
from medperf_git.forge import tokens
from medperf_git.forge.login_host import Kind, LoginHost, kind_of
from medperf_git.forge.secret import Secret
from medperf_git.forge.tokens import (
    GH,
    KEYRING,
    VARIABLES,
    Found,
    TokenStore,
    find_token,
    likely_hosts,
)
from tests.support.site import ROOT

TOKEN = "ghp_hunter2hunter2hunter2"  # noqa: S105 (nobody's)
OTHER = "ghp_another2another2another2"


class FileKeyring(KeyringBackend):
    """A keyring that works: a file stands for the system's."""

    priority = 5

    def __init__(self, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # theirs is untyped
        self.path = path
        self.locked = False

    def read(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}
        return found

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked(f"can't show {self.path.read_text()}")  # some say too much
        return self.read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise RuntimeError(f"can't keep {password}")
        self.path.write_text(json.dumps({**self.read(), f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        if self.locked:
            raise KeyringLocked(f"can't show {self.path.read_text()}")  # some say too much
        rest = self.read()
        del rest[f"{service} {username}"]
        self.path.write_text(json.dumps(rest))


class Forgetful(FileKeyring):
    """Takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Silent(FileKeyring):
    """Never answers, as a prompt on a screen that nobody sits at."""

    def set_password(self, service: str, username: str, password: str) -> None:
        time.sleep(30)
        super().set_password(service, username, password)


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable, no keyring and no GitHub CLI of whoever runs the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    # As `set_keyring`, but undone, and without looking for the machine's own.
    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())  # type: ignore[no-untyped-call]  # theirs is untyped


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens")


@pytest.fixture
def works(tmp_path: Path) -> FileKeyring:
    """The system has a keyring."""
    backend = FileKeyring(tmp_path / "keyring.json")
    keyring.set_keyring(backend)
    return backend


def write_gh(folder: Path, body: str) -> Path:
    """A `gh` first on the path, which notes its arguments and environment."""
    path = folder / "bin" / "gh"
    path.parent.mkdir(exist_ok=True)
    note = folder / "gh.note"
    path.write_text(
        f"#!{sys.executable}\nimport json, os, sys, time\n"
        f"json.dump([sys.argv[1:], dict(os.environ)], open({str(note)!r}, 'w'))\n{body}\n"
    )
    path.chmod(0o755)
    return note


def source(host: str, kind: Kind, store: TokenStore) -> str | None:
    found = find_token(host, kind, store)
    return None if found is None else found.source


# --- a secret -------------------------------------------------------------------------------


def test_a_secret_does_not_show_itself(capsys: pytest.CaptureFixture[str]) -> None:
    secret = Secret(TOKEN)
    found = Found(secret, "here")
    shown = [repr(secret), str(secret), f"{secret}", f"{[secret]}", f"{secret!r:>20}", repr(found)]
    shown += [str(dataclasses.asdict(found)), str(copy.deepcopy(secret)), str(copy.copy([secret]))]
    shown += traceback.format_exception(ValueError(secret))
    logging.getLogger("x").warning("%s %r", secret, secret)
    assert TOKEN not in "".join(shown) + capsys.readouterr().err
    assert secret.reveal() == TOKEN
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert TOKEN not in str(caught.value)
    with pytest.raises(AttributeError):
        secret._text = OTHER


def test_secrets_compare() -> None:
    assert Secret(TOKEN) == Secret(TOKEN)
    assert Secret(TOKEN) != Secret(OTHER)
    assert Secret(TOKEN) != TOKEN
    assert len({Secret(TOKEN), Secret(TOKEN), Secret(OTHER)}) == 2


BAD_TOKENS = [
    "",
    " ",
    f"{TOKEN} x",
    f"{TOKEN}\n",
    f"{TOKEN}\r\nX-Evil: 1",
    "tokén",
    "a\0b",
    "\ufeffx",
]


@pytest.mark.parametrize("text", BAD_TOKENS)
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Secret(text)
    assert caught.value.code == "bad-token"
    assert TOKEN not in str(caught.value.as_dict())


# --- hosts ----------------------------------------------------------------------------------

HOSTS = {
    "github.com": ("github.com", "https://api.github.com"),
    "GitHub.COM:443": ("github.com", "https://api.github.com"),
    "https://github.com/": ("github.com", "https://api.github.com"),
    "git.example.org": ("git.example.org", "https://git.example.org/api/v3"),
    "Git.Example.org:08443": ("git.example.org:8443", "https://git.example.org:8443/api/v3"),
    "clinic.ghe.com": ("clinic.ghe.com", "https://api.clinic.ghe.com"),
    "gitlab.com": ("gitlab.com", "https://gitlab.com/api/v4"),
    "gitlab.example.org": ("gitlab.example.org", "https://gitlab.example.org/api/v4"),
    "http://127.0.0.1:8080": ("127.0.0.1:8080", "http://127.0.0.1:8080/api/v3"),
    "http://[::1]:8080/": ("[::1]:8080", "http://[::1]:8080/api/v3"),
}


@pytest.mark.parametrize("text", HOSTS)
def test_a_host_as_it_is_typed(text: str) -> None:
    host = LoginHost.read(text)
    assert (host.name, host.api) == HOSTS[text]


BAD_HOSTS = [
    "",
    "-oProxyCommand=x",
    "git hub.com",
    "github.com/x",
    "github.com:0",
    "github.com:65536",
    f"https://ky:{TOKEN}@github.com",
    f"{TOKEN}@github.com",
    TOKEN,
    "ssh://github.com",
    "gìthub.com",
    "a..b",
    "github.com\nx",
]


@pytest.mark.parametrize("text", BAD_HOSTS)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(InputError) as caught:
        LoginHost.read(text)
    assert caught.value.code == "bad-host"
    assert TOKEN not in str(caught.value.as_dict())


@pytest.mark.parametrize("text", ["http://github.com", "http://10.0.0.1", "http://127.evil.org"])
def test_plain_http_is_for_this_machine(text: str) -> None:
    with pytest.raises(InputError) as caught:
        LoginHost.read(text)
    assert caught.value.code == "plain-http"


def test_what_runs_on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kind_of("git.example.org") == "github"
    monkeypatch.setenv("GITLAB_HOST", "https://git.example.org/")
    assert kind_of("git.example.org") == "gitlab"
    assert LoginHost.read("git.example.org", "github").kind == "github"


# --- the environment ------------------------------------------------------------------------

ALLOWED: dict[tuple[str, Kind], set[str]] = {
    ("github.com", "github"): {"GH_TOKEN", "GITHUB_TOKEN"},
    ("GitHub.com", "github"): {"GH_TOKEN", "GITHUB_TOKEN"},
    ("git.example.org", "github"): {"GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"},
    ("git.evil.org", "github"): set(),
    ("github.com.evil.org", "github"): set(),
    ("github.com:8443", "github"): set(),
    ("x.github.com", "github"): set(),
    ("clinic.ghe.com", "github"): set(),
    ("gitlab.com", "gitlab"): {"GITLAB_TOKEN"},
    ("gitlab.example.org", "gitlab"): set(),
    ("github.com", "gitlab"): set(),
}


@pytest.mark.parametrize(("host", "kind"), ALLOWED)
def test_a_variable_goes_to_its_own_host(
    host: str, kind: Kind, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_HOST", "git.example.org")
    for name in (*VARIABLES, "MPGIT_TOKEN"):
        if name.endswith("TOKEN"):
            monkeypatch.setenv(name, TOKEN)
            found = source(host, kind, store)
            assert found == (f"${name}" if name in ALLOWED[host, kind] else None), name
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("github.com", ("GH_TOKEN", "GITHUB_TOKEN")),
        ("git.example.org", ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")),
    ],
)
def test_the_first_variable_wins(
    host: str, names: tuple[str, str], store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set(host, Secret(OTHER))
    monkeypatch.setenv("GH_HOST", "git.example.org")
    monkeypatch.setenv(names[1], TOKEN)
    assert source(host, "github", store) == f"${names[1]}"
    monkeypatch.setenv(names[0], TOKEN)
    assert source(host, "github", store) == f"${names[0]}"
    monkeypatch.setenv(names[0], "  ")
    assert source(host, "github", store) == f"${names[1]}"
    monkeypatch.delenv(names[1])
    assert source(host, "github", store) == f"the file {store.file}"


def test_a_named_server_has_its_token_alone(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", TOKEN)
    monkeypatch.setenv("GH_HOST", "git.example.org")
    assert source("git.example.org", "github", store) == "$GH_ENTERPRISE_TOKEN"
    assert source("git.evil.org", "github", store) is None
    for other in ("github.com", "git.example.org:8443", ""):
        monkeypatch.setenv("GH_HOST", other)
        assert source("git.example.org", "github", store) is None


@pytest.mark.parametrize(
    "named", ["gitlab.example.org", "https://GitLab.example.org/", "gitlab.example.org:443"]
)
def test_a_named_gitlab(named: str, store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    monkeypatch.setenv("GITLAB_HOST", named)
    assert source("gitlab.example.org", "gitlab", store) == "$GITLAB_TOKEN"
    assert source("gitlab.com", "gitlab", store) is None
    monkeypatch.setenv("GITLAB_HOST", "no host, but not gitlab.com either")
    assert source("gitlab.com", "gitlab", store) is None


def test_a_variable_without_a_token_is_named(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_TOKEN", f"{TOKEN} {TOKEN}")
    with pytest.raises(InputError) as caught:
        find_token("github.com", "github", store)
    assert (caught.value.code, caught.value.place) == ("bad-token", "$GH_TOKEN")
    assert TOKEN not in str(caught.value.as_dict())


def test_likely_hosts(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("git.example.org", Secret(TOKEN))
    assert likely_hosts(store) == ["git.example.org", "github.com", "gitlab.com"]
    monkeypatch.setenv("GH_HOST", "git.example.org")
    monkeypatch.setenv("GITLAB_HOST", "https://lab.example.org")
    assert likely_hosts(store) == ["git.example.org", "github.com", "lab.example.org"]


# --- the GitHub CLI -------------------------------------------------------------------------


def test_the_github_cli_is_asked_last(store: TokenStore, tmp_path: Path) -> None:
    note = write_gh(tmp_path, f"print({TOKEN!r})")
    found = find_token("Git.Example.org", "github", store)
    assert found == Found(Secret(TOKEN), GH)
    words, _ = json.loads(note.read_text())
    assert words == ["auth", "token", "--hostname", "git.example.org"]
    note.unlink()
    store.set("git.example.org", Secret(OTHER))
    assert source("git.example.org", "github", store) == f"the file {store.file}"
    assert source("gitlab.com", "gitlab", store) is None
    assert source("x.github.com", "github", store) is None
    assert not note.exists()


def test_the_github_cli_does_not_hand_on_a_variable(
    store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real one prints $GH_TOKEN for any host of github.com's kind that it is asked for."""
    note = write_gh(tmp_path, "print(os.environ.get('GH_TOKEN') or os.environ['GITHUB_TOKEN'])")
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    assert find_token("clinic.ghe.com", "github", store) is None
    assert TOKEN not in note.read_text()


FAILURES = {
    "fails": f"print({TOKEN!r}); sys.exit({TOKEN!r})",
    "nothing": "pass",
    "chatter": f"print('token:', {TOKEN!r})",
    "bytes": "os.write(1, b'\\xff\\xfe')",
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_github_cli_that_has_none(
    name: str, store: TokenStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_gh(tmp_path, FAILURES[name])
    assert find_token("github.com", "github", store) is None
    assert capfd.readouterr() == ("", "")


def test_a_github_cli_that_hangs_or_does_not_start(
    store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tokens._GH_SECONDS == 10.0
    monkeypatch.setattr(tokens, "_GH_SECONDS", 0.3)
    write_gh(tmp_path, "time.sleep(30)")
    assert find_token("github.com", "github", store) is None
    (tmp_path / "bin" / "gh").chmod(0o644)
    assert find_token("github.com", "github", store) is None


# --- the file -------------------------------------------------------------------------------


def test_without_a_keyring_a_file_keeps_it(store: TokenStore) -> None:
    before = os.umask(0)
    try:
        assert store.set("GitHub.com:443", Secret(TOKEN)) == f"the file {store.file}"
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.file.stat().st_mode) == 0o600
    assert store.get("github.com") == Secret(TOKEN)
    assert store.get("git.example.org") is None
    store.set("git.example.org:8443", Secret(OTHER))
    assert store.hosts() == ["git.example.org:8443", "github.com"]
    assert store.get("git.example.org") is None
    store.set("github.com", Secret(OTHER))
    assert store.get("github.com") == Secret(OTHER)
    assert TOKEN not in store.file.read_text()
    assert store.remove("github.com") is True
    assert store.remove("github.com") is False
    assert store.hosts() == ["git.example.org:8443"]
    assert store.where("github.com") is None
    assert stat.S_IMODE(store.file.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_file_that_others_can_read_is_refused(store: TokenStore, mode: int) -> None:
    store.set("github.com", Secret(TOKEN))
    store.file.chmod(mode)
    for action in (
        store.hosts,
        lambda: store.get("github.com"),
        lambda: store.set("github.com", Secret(OTHER)),
        lambda: store.remove("github.com"),
        lambda: find_token("github.com", "github", store),
    ):
        with pytest.raises(InputError) as caught:
            action()
        assert caught.value.code == "open-tokens"
        assert f"chmod 600 {store.file}" in str(caught.value.advice)
        assert TOKEN not in str(caught.value.as_dict())
    store.file.chmod(0o600)
    assert store.get("github.com") == Secret(TOKEN)


DAMAGED: dict[str, Any] = {
    "text": f"{{{TOKEN}",
    "list": [TOKEN],
    "number": {"github.com": 7},
    "spaces": {"github.com": f"{TOKEN} x"},
    "host": {"git hub": TOKEN},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused(store: TokenStore, name: str) -> None:
    store.file.parent.mkdir()
    data = DAMAGED[name]
    store.file.write_text(data if isinstance(data, str) else json.dumps(data))
    store.file.chmod(0o600)
    with pytest.raises(InputError) as caught:
        store.get("github.com")
    assert caught.value.code == "damaged-file"
    shown = "".join(traceback.format_exception(caught.value, chain=True))
    assert TOKEN not in str(caught.value.as_dict()) + shown


def test_two_at_once_both_keep(store: TokenStore) -> None:
    threads = [
        threading.Thread(target=store.set, args=(f"h{n}.example.org", Secret(f"{TOKEN}{n}")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.hosts()) == 8


# --- the keyring ----------------------------------------------------------------------------


def test_a_keyring_keeps_it(store: TokenStore, works: FileKeyring, tmp_path: Path) -> None:
    assert store.set("github.com", Secret(TOKEN)) == KEYRING
    assert TOKEN in works.path.read_text()
    assert TOKEN not in store.file.read_text()
    assert find_token("github.com", "github", store) == Found(Secret(TOKEN), KEYRING)
    # Another home, another account.
    other = TokenStore(tmp_path / "other")
    assert other.get("github.com") is None
    other.set("github.com", Secret(OTHER))
    assert store.get("github.com") == Secret(TOKEN)
    assert store.remove("github.com") is True
    assert TOKEN not in works.path.read_text()
    assert store.hosts() == []
    assert other.get("github.com") == Secret(OTHER)


def test_a_chain_with_members_is_a_keyring(
    store: TokenStore, works: FileKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [works])
    keyring.set_keyring(chainer.ChainerBackend())  # type: ignore[no-untyped-call]  # theirs is untyped
    assert store.set("github.com", Secret(TOKEN)) == KEYRING
    assert store.get("github.com") == Secret(TOKEN)


def test_what_is_no_keyring(
    store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [])
    none = [fail.Keyring(), null.Keyring(), chainer.ChainerBackend()]  # type: ignore[no-untyped-call]  # theirs is untyped
    for number, backend in enumerate([*none, Forgetful(tmp_path / "x")]):
        keyring.set_keyring(backend)
        assert store.set("github.com", Secret(f"{TOKEN}{number}")) == f"the file {store.file}"
        assert store.get("github.com") == Secret(f"{TOKEN}{number}")


def test_a_locked_keyring(
    store: TokenStore, works: FileKeyring, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    store.set("github.com", Secret(TOKEN))
    works.locked = True
    for action in (
        lambda: store.get("github.com"),
        lambda: store.remove("github.com"),
        lambda: find_token("github.com", "github", store),
    ):
        with pytest.raises(InputError) as caught:
            action()
        assert caught.value.code == "keyring-locked"
        assert TOKEN not in "".join(traceback.format_exception(caught.value, chain=True))
        assert store.hosts() == ["github.com"]
    # The GitHub CLI may still know one.
    write_gh(tmp_path, f"print({OTHER!r})")
    assert source("github.com", "github", store) == GH
    # Logging in again goes to the file, and the open keyring is not asked any more.
    assert store.set("github.com", Secret(OTHER)) == f"the file {store.file}"
    works.locked = False
    assert store.get("github.com") == Secret(OTHER)
    assert not {TOKEN, OTHER} & set(caplog.text.split())


def test_what_was_taken_out_elsewhere_is_gone(store: TokenStore, works: FileKeyring) -> None:
    store.set("github.com", Secret(TOKEN))
    works.path.unlink()
    assert store.get("github.com") is None
    assert find_token("github.com", "github", store) is None
    assert store.remove("github.com") is True
    assert store.hosts() == []


def test_the_old_token_goes_when_the_keyring_does(
    store: TokenStore, works: FileKeyring, tmp_path: Path
) -> None:
    store.set("github.com", Secret(TOKEN))
    keyring.set_keyring(Forgetful(works.path))
    store.set("github.com", Secret(OTHER))
    assert TOKEN not in works.path.read_text()


def test_a_keyring_that_never_answers(
    store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_KEYRING_SECONDS", 0.2)
    keyring.set_keyring(Silent(tmp_path / "x"))
    assert store.set("github.com", Secret(TOKEN)) == f"the file {store.file}"


def test_a_backend_that_is_not_there(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from medperf_git.forge.tokens import *\n"
        "store = TokenStore(Path(sys.argv[1])); assert 'keyring' not in sys.modules\n"
        "assert store.get('github.com') is None; assert 'keyring' not in sys.modules\n"
        "print(store.set('github.com', Secret('x')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={"PYTHONPATH": str(ROOT), "PYTHON_KEYRING_BACKEND": "no.such.Keyring"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"the file {tmp_path / 'tokens.json'}"
