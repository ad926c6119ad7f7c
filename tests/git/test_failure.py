"""What git says becomes an error with a code and advice."""

from __future__ import annotations

import pytest

from medperf_git.git.failure import failed, no_partial, reason

SAID: dict[str, tuple[str, str]] = {
    "fatal: Authentication failed for 'https://x.org/'": ("denied", "mpgit login"),
    "fatal: could not read Username for 'https://x.org'": ("denied", "mpgit login"),
    "git@x.org: Permission denied (publickey).": ("denied", "key or password"),
    "error: The requested URL returned error: 403": ("denied", "mpgit login"),
    " ! [remote rejected] main -> main (hook declined)": ("push-refused", "access"),
    "fatal: unable to access: Could not resolve host": ("unreachable", "network"),
    "": ("unreachable", "network"),
}


@pytest.mark.parametrize("said", SAID)
def test_codes(said: str) -> None:
    code, advice = SAID[said]
    error = failed("can't fetch from", "https://x.org/r", said, "nothing was lost")
    assert (error.code, error.place) == (code, "https://x.org/r")
    assert advice in str(error.advice)
    assert str(error.advice).endswith("; nothing was lost")


def test_the_telling_lines_in_one() -> None:
    said = "Cloning\nremote: no such thing\nhint: x\nfatal: it ended\n"
    assert reason(said) == "remote: no such thing; fatal: it ended"
    assert reason("some words") == "some words"
    assert len(reason("fatal: " + "x" * 5000)) == 600


def test_no_partial() -> None:
    assert "allowFilter" in str(no_partial("https://x.org/r", "why").advice)
