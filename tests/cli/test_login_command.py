"""`mpgit login` and `logout` against a real server, in a process of their own where it matters."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import keyring.core
import pytest

from medperf_git.cli.main import invoke
from medperf_git.forge.tokens import VARIABLES
from tests.forge.test_device_flow import (
    BEGIN,
    CLIENT,
    CODE,
    DEVICE,
    GRANTED,
    LAB_USER,
    PENDING,
    POLL,
    USER,
    Answer,
    FakeHost,
)
from tests.forge.test_device_flow import TOKEN as GIVEN
from tests.forge.test_tokens import OTHER, TOKEN, FileKeyring, write_gh
from tests.support.patience import PATIENCE
from tests.support.site import MPGIT, ROOT

NOTHING: Mapping[str, str] = MappingProxyType({})
SECRETS = (TOKEN, OTHER, GIVEN, DEVICE)


@dataclass
class Machine:
    """A home of its own, without a keyring, and a host to log in to."""

    folder: Path
    host: FakeHost

    @property
    def file(self) -> Path:
        return self.folder / "home" / "config" / "tokens" / "tokens.json"

    def settings(self, more: Mapping[str, str] = NOTHING) -> dict[str, str]:
        ours = {*VARIABLES, "MPGIT_GITHUB_CLIENT_ID"}
        return {
            **{name: value for name, value in os.environ.items() if name not in ours},
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder),
            "MPGIT_HOME": str(self.folder / "home"),
            "PYTHONPATH": str(ROOT),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            **more,
        }

    def do(
        self,
        *words: str,
        typed: str | bytes = "",
        expect: int = 0,
        more: Mapping[str, str] = NOTHING,
    ) -> subprocess.CompletedProcess[str]:
        """Somebody types a command; what it prints holds no secret."""
        ended = subprocess.run(
            [*MPGIT, *words],
            env=self.settings(more),
            input=typed if isinstance(typed, bytes) else typed.encode(),
            capture_output=True,
            check=False,
        )
        done = subprocess.CompletedProcess(
            ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode()
        )
        shown = done.stdout + done.stderr
        assert done.returncode == expect, shown
        assert "Traceback" not in shown
        assert not [secret for secret in SECRETS if secret in shown]
        return done

    def sent(self) -> str:
        """All that the host was told."""
        return str(self.host.asked)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    served = FakeHost()
    served.says(USER, {"login": "anna-weber"})
    yield Machine(tmp_path, served)
    served.close()


def argument_lists() -> str:
    """Those of all processes, as `ps` shows them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


# --- with a token ---------------------------------------------------------------------------


def test_a_token_from_standard_input(machine: Machine) -> None:
    listed: list[str] = []
    machine.host.meanwhile = lambda: listed.append(argument_lists())
    done = machine.do("login", machine.host.web, "--with-token", typed=f"{TOKEN}\n")
    where = f"the file {machine.file}"
    assert done.stdout == f"logged in to {machine.host.name} as anna-weber; kept in {where}\n"
    assert stat.S_IMODE(machine.file.stat().st_mode) == 0o600
    assert json.loads(machine.file.read_text()) == {machine.host.name: TOKEN}
    (asked,) = machine.host.asked
    assert (asked.path, asked.headers["Authorization"]) == (USER, f"Bearer {TOKEN}")
    (processes,) = listed
    assert "--with-token" in processes
    assert TOKEN not in processes
    # Nowhere else in the home.
    holding = [x for x in machine.folder.rglob("*") if x.is_file() and TOKEN in x.read_text()]
    assert holding == [machine.file]


def test_in_json(machine: Machine) -> None:
    machine.host.says(USER, Answer({"login": "anna"}, headers={"X-OAuth-Scopes": "repo"}))
    done = machine.do("login", machine.host.web, "--with-token", "--json", typed=TOKEN)
    assert json.loads(done.stdout) == {
        "host": machine.host.name,
        "login": "anna",
        "kept": f"the file {machine.file}",
        "scopes": ["repo"],
    }
    assert done.stderr == ""


SCOPES = {
    "": "(none)",
    "gist, read:org": "(gist, read:org)",
    "repo": None,
    "gist, public_repo": None,
}


@pytest.mark.parametrize("scopes", SCOPES)
def test_a_classic_token_that_can_too_little(machine: Machine, scopes: str) -> None:
    machine.host.says(USER, Answer({"login": "anna"}, headers={"X-OAuth-Scopes": scopes}))
    done = machine.do("login", machine.host.web, "--with-token", typed=TOKEN)
    words = SCOPES[scopes]
    assert ("lack public_repo" in done.stderr) == (words is not None)
    assert words is None or words in done.stderr


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "no token": ("", "bad-token"),
    "two words": (f"{TOKEN} {OTHER}", "bad-token"),
    "two lines": (f"{TOKEN}\n{OTHER}\n", "bad-token"),
    "no text": (b"\xff\xfe\xff", "bad-token"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_token_is_not_sent(machine: Machine, name: str) -> None:
    typed, code = REFUSED[name]
    words = ("login", machine.host.web, "--with-token", "--json", "-v")
    done = machine.do(*words, typed=typed, expect=2)
    assert json.loads(done.stdout)["error"]["code"] == code
    assert machine.host.asked == []
    assert not machine.file.exists()


def test_a_token_that_the_host_refuses_is_not_kept(machine: Machine) -> None:
    machine.do("login", machine.host.web, "--with-token", typed=OTHER)
    machine.host.says(USER, Answer({"message": f"Bad credentials: {TOKEN}"}, 401))
    done = machine.do("login", machine.host.web, "--with-token", "-v", typed=TOKEN, expect=2)
    assert "does not accept this token" in done.stderr
    assert "next:" in done.stderr
    assert json.loads(machine.file.read_text()) == {machine.host.name: OTHER}


def test_a_host_out_of_reach(machine: Machine) -> None:
    machine.host.close()
    done = machine.do("login", machine.host.web, "--with-token", "-v", typed=TOKEN, expect=1)
    assert "out of reach" in done.stderr
    assert not machine.file.exists()


def test_a_token_as_a_host(machine: Machine) -> None:
    for words in (("login", TOKEN), ("logout", TOKEN), ("login", f"https://ky:{TOKEN}@github.com")):
        done = machine.do(*words, expect=2)
        assert "no host's name" in done.stderr
    done = machine.do("login", "http://git.example.org", "--with-token", typed=TOKEN, expect=2)
    assert "plain HTTP" in done.stderr


def test_a_gitlab(machine: Machine) -> None:
    machine.host.says(LAB_USER, {"username": "anna"})
    words = ("login", machine.host.web, "--kind", "gitlab")
    done = machine.do(*words, "--with-token", typed=TOKEN)
    assert "as anna;" in done.stdout
    done = machine.do(*words, "--client-id", CLIENT, expect=2)
    assert "--with-token" in done.stderr


def test_at_a_terminal_a_token_is_not_echoed(machine: Machine) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MPGIT, "login", machine.host.web, "--with-token"],
        env=machine.settings(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while b"Token: " not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, f"{TOKEN}\n".encode())
    assert process.wait(PATIENCE) == 0
    shown += os.read(ours, 10000)
    os.close(ours)
    assert b"as anna-weber" in shown
    assert TOKEN.encode() not in shown


# --- through the browser --------------------------------------------------------------------


def test_through_the_browser(machine: Machine) -> None:
    machine.host.says(BEGIN, {**CODE, "interval": 1})
    machine.host.says(POLL, PENDING, GRANTED)
    done = machine.do("login", machine.host.web, more={"MPGIT_GITHUB_CLIENT_ID": CLIENT})
    assert "https://github.com/login/device" in done.stderr
    assert "WDJB-MJHT" in done.stderr
    assert "WDJB-MJHT" not in done.stdout
    assert done.stdout.startswith(f"logged in to {machine.host.name} as anna-weber; kept in ")
    assert json.loads(machine.file.read_text()) == {machine.host.name: GIVEN}
    first = machine.host.asked[0]
    assert first.form == {"client_id": CLIENT, "scope": "public_repo"}
    assert machine.host.asked[-1].headers["Authorization"] == f"Bearer {GIVEN}"


def test_other_scopes(machine: Machine) -> None:
    machine.host.says(BEGIN, Answer({"error": "device_flow_disabled"}, 400))
    words = ("--client-id", CLIENT, "--scope", "repo", "--scope", "read:org")
    done = machine.do("login", machine.host.web, *words, "--json", expect=2)
    assert json.loads(done.stdout)["error"]["code"] == "device-flow-disabled"
    assert machine.host.asked[0].form["scope"] == "repo read:org"


def test_without_an_app_the_other_ways_are_named(machine: Machine) -> None:
    done = machine.do("login", expect=2)
    for way in ("--with-token", "$GH_TOKEN", "gh auth login", "--client-id"):
        assert way in done.stderr


def test_refused_in_the_browser(machine: Machine) -> None:
    machine.host.says(BEGIN, {**CODE, "interval": 1})
    machine.host.says(POLL, {"error": "access_denied"})
    done = machine.do("login", machine.host.web, "--client-id", CLIENT, "-v", expect=2)
    assert "refused in the browser" in done.stderr
    assert not machine.file.exists()


def test_an_interrupted_login_keeps_nothing(machine: Machine) -> None:
    machine.host.says(BEGIN, CODE)
    process = subprocess.Popen(
        [*MPGIT, "login", machine.host.web, "--client-id", CLIENT],
        env=machine.settings(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "waiting" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted" in rest
    assert DEVICE not in rest
    assert not machine.file.exists()


# --- where tokens are -----------------------------------------------------------------------


def test_a_variable_for_another_host_is_not_sent(machine: Machine) -> None:
    names = ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN")
    more = dict.fromkeys(names, OTHER)
    write_gh(machine.folder, "print(os.environ.get('GH_TOKEN', ''))")
    done = machine.do("login", machine.host.web, "--status", "--json", more=more)
    assert json.loads(done.stdout) == []
    machine.do("login", machine.host.web, "--with-token", typed=TOKEN, more=more)
    machine.do("login", machine.host.web, "--status", more=more)
    machine.do("logout", machine.host.name, more=more)
    assert TOKEN in machine.sent()
    assert OTHER not in machine.sent()
    words, environment = json.loads((machine.folder / "gh.note").read_text())
    assert words == ["auth", "token", "--hostname", machine.host.name]
    assert not {*names} & {*environment} - {"GITLAB_TOKEN"}


def test_where_tokens_are(machine: Machine) -> None:
    done = machine.do("login", "--status")
    assert done.stdout == "not logged in to any host: mpgit login\n"
    assert json.loads(machine.do("login", "--status", "--json").stdout) == []
    machine.do("login", machine.host.web, "--with-token", typed=TOKEN)
    write_gh(machine.folder, f"print({OTHER!r}) if 'github.com' in sys.argv else sys.exit(1)")
    more = {
        "GITLAB_TOKEN": OTHER,
        "GH_HOST": "git.example.org",
        "GH_ENTERPRISE_TOKEN": f"{OTHER} {OTHER}",
    }
    rows = json.loads(machine.do("login", "--status", "--json", more=more).stdout)
    assert [(row["host"], row["kind"], row["source"], row["trouble"]) for row in rows] == [
        (machine.host.name, "github", f"the file {machine.file}", None),
        ("github.com", "github", "gh auth token", None),
        ("git.example.org", "github", None, "$GH_ENTERPRISE_TOKEN: that is no token"),
        ("gitlab.com", "gitlab", "$GITLAB_TOKEN", None),
    ]
    text = machine.do("login", "--status", more=more).stdout
    assert text.splitlines()[0].split() == ["host", "kind", "token", "from"]
    assert f"the file {machine.file}" in text
    one = machine.do("login", "--status", "github.com", "--json", more={"GH_TOKEN": OTHER})
    assert [row["source"] for row in json.loads(one.stdout)] == ["$GH_TOKEN"]
    none = machine.do("login", "--status", "git.example.org")
    assert none.stdout == "not logged in to git.example.org\n"
    # Asking nobody: only the login was sent.
    assert len(machine.host.asked) == 1


def test_what_comes_first_is_said(machine: Machine) -> None:
    more = {"GH_ENTERPRISE_TOKEN": OTHER, "GH_HOST": machine.host.name}
    done = machine.do("login", machine.host.web, "--with-token", typed=TOKEN, more=more)
    assert "$GH_ENTERPRISE_TOKEN" in done.stderr
    done = machine.do("logout", machine.host.name, more=more)
    assert "$GH_ENTERPRISE_TOKEN still gives one" in done.stderr
    done = machine.do("logout", machine.host.name, expect=2, more=more)
    assert "one comes from $GH_ENTERPRISE_TOKEN" in done.stderr
    assert OTHER not in machine.sent()


def test_a_file_that_others_can_read(machine: Machine) -> None:
    machine.do("login", machine.host.web, "--with-token", typed=TOKEN)
    machine.file.chmod(0o644)
    for words in (("login", "--status"), ("logout", machine.host.name)):
        done = machine.do(*words, expect=2)
        assert f"chmod 600 {machine.file}" in done.stderr


def test_logout(machine: Machine) -> None:
    machine.do("login", machine.host.web, "--with-token", typed=TOKEN)
    done = machine.do("logout", machine.host.web, "--json")
    assert json.loads(done.stdout) == {"host": machine.host.name, "still_from": None}
    assert TOKEN not in machine.file.read_text()
    done = machine.do("logout", expect=2)
    assert "no token is kept for github.com" in done.stderr


def test_with_a_keyring(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MPGIT_HOME", str(machine.folder / "home"))
    monkeypatch.setenv("PATH", str(machine.folder / "bin"))
    backend = FileKeyring(machine.folder / "keyring.json")
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TOKEN}\n"))
    assert invoke(["login", machine.host.web, "--with-token"]) == 0
    assert capsys.readouterr().out.endswith("kept in the system's keyring\n")
    assert TOKEN in backend.path.read_text()
    assert TOKEN not in machine.file.read_text()
    backend.locked = True
    assert invoke(["login", "--status"]) == 0
    assert invoke(["logout", machine.host.name, "-v"]) == 2
    shown = capsys.readouterr()
    assert "unlock the keyring" in shown.err
    assert "which does not give it" in shown.out
    backend.locked = False
    assert invoke(["logout", machine.host.name]) == 0
    assert TOKEN not in backend.path.read_text()
    assert TOKEN not in caplog.text + str(shown) + str(capsys.readouterr())
