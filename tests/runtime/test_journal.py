from __future__ import annotations

from pathlib import Path

import pytest

from medperf_git.errors import InputError
from medperf_git.runtime.journal import Journal


def test_a_stage_is_finished_for_its_inputs_alone(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert journal.finished("infer", {"data": "1"}) is None
        journal.record("infer", {"data": "1", "image": "2"}, {"seconds": 3.5})
        journal.record("evaluate", {"data": "1"}, {"ok": True})
    with Journal(tmp_path) as again:
        assert again.finished("infer", {"image": "2", "data": "1"}) == {"seconds": 3.5}
        assert again.finished("evaluate", {"data": "1"}) == {"ok": True}
        for other in ({"data": "1"}, {"data": "1", "image": "3"}, {"data": "2", "image": "1"}):
            assert again.finished("infer", other) is None
        again.record("infer", {"data": "9"}, {})
        assert again.finished("infer", {"data": "1", "image": "2"}) is None


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b'{"version": 2}', b'{"version":1,"stages":[]}', b"\xff"]
)
def test_a_broken_journal_costs_a_run_only(tmp_path: Path, payload: bytes) -> None:
    (tmp_path / "journal.json").write_bytes(payload)
    with Journal(tmp_path) as journal:
        assert journal.finished("infer", {}) is None
        journal.record("infer", {}, {"n": 1})
        assert journal.finished("infer", {}) == {"n": 1}


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(InputError) as caught, Journal(tmp_path):
        pass
    assert caught.value.code == "locked"


def test_nothing_is_recorded_without_the_lock(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        Journal(tmp_path).record("infer", {}, {})
