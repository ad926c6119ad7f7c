"""Slots: nobody gets what another has, nobody waits for ever, nothing is lost."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.runtime import machine
from medperf_git.runtime.slots import Capacity, Share, Slots

SMALL = Share(cpus=1, memory_mb=100)


def slots(jobs: int = 8, cpus: int = 4, memory_mb: int = 1000, gpus: str = "") -> Slots:
    return Slots(Capacity(jobs=jobs, cpus=cpus, memory_mb=memory_mb, gpus=tuple(gpus)))


def is_free(of: Slots, share: Share) -> bool:
    """Whether somebody would get it at once."""
    began = time.monotonic()
    try:
        with of.take(share, lambda: time.monotonic() - began > 0.05):
            return True
    except ExecutionError:
        return False


@pytest.mark.parametrize(
    ("of", "share", "at_once"),
    [
        (slots(jobs=3), SMALL, 3),
        (slots(cpus=2), SMALL, 2),
        (slots(memory_mb=450), SMALL, 4),
        (slots(gpus="01"), Share(cpus=1, memory_mb=1, gpus=1), 2),
        (slots(gpus="012"), Share(cpus=1, memory_mb=1, gpus=2), 1),
        (slots(), Share(cpus=64, memory_mb=1), 1),  # more than there is: alone
        (slots(), Share(cpus=1, memory_mb=10**6), 1),
    ],
)
def test_as_many_as_fit(of: Slots, share: Share, at_once: int) -> None:
    with ExitStack() as held:
        for _ in range(at_once):
            assert is_free(of, share)
            held.enter_context(of.take(share))
        assert not is_free(of, share)
    assert is_free(of, share)


def test_each_gpu_has_one_owner() -> None:
    of = slots(gpus="013")
    with of.take(Share(cpus=1, memory_mb=1, gpus=2)) as mine:
        assert mine == ("0", "1")
        with of.take(Share(cpus=1, memory_mb=1, gpus=1)) as yours:
            assert yours == ("3",)
    with of.take(Share(cpus=1, memory_mb=1, gpus=3)) as all_of_them:
        assert all_of_them == ("0", "1", "3")


def test_more_gpus_than_there_are() -> None:
    with pytest.raises(ExecutionError) as caught:
        slots(gpus="0").refuse(Share(cpus=1, memory_mb=1, gpus=2), "oak/net")
    assert caught.value.code == "no-gpu"
    assert "--gpus" in (caught.value.advice or "")


def test_what_fails_gives_back() -> None:
    of = slots(jobs=1)
    with pytest.raises(KeyError), of.take(SMALL):
        raise KeyError
    assert is_free(of, SMALL)


def test_a_large_task_is_not_starved() -> None:
    """It waits in front of the small ones that came later, and would fit."""
    of, order = slots(cpus=4), list[str]()

    def task(name: str, share: Share) -> None:
        with of.take(share):
            order.append(name)

    with of.take(SMALL):
        large = threading.Thread(target=task, args=("large", Share(cpus=4, memory_mb=1)))
        large.start()
        time.sleep(0.1)
        small = threading.Thread(target=task, args=("small", SMALL))
        small.start()
        time.sleep(0.1)
        assert order == []
    large.join(5)
    small.join(5)
    assert order == ["large", "small"]


def test_many_threads_never_take_too_much() -> None:
    capacity = Capacity(jobs=5, cpus=6, memory_mb=700, gpus=("0", "1"))
    of, lock = Slots(capacity), threading.Lock()
    used, seen = [0, 0, 0], list[bool]()
    chance = random.Random(7)  # noqa: S311 (no secret)
    shares = [
        Share(cpus=chance.randint(1, 6), memory_mb=chance.randint(1, 700), gpus=number % 3)
        for number in range(60)
    ]

    def task(share: Share) -> None:
        with of.take(share) as gpus:
            with lock:
                used[0] += 1
                used[1] += share.cpus
                used[2] += share.memory_mb
                seen.append(used[0] <= 5 and used[1] <= 6 and used[2] <= 700)
                seen.append(len(gpus) == share.gpus)
            time.sleep(0.002)
            with lock:
                used[0] -= 1
                used[1] -= share.cpus
                used[2] -= share.memory_mb

    threads = [threading.Thread(target=task, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 120
    assert all(seen)


def test_the_machine(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2048000 kB\n")
    assert machine.memory_mb(tmp_path / "meminfo") <= 1800
    assert machine.memory_mb(tmp_path / "nothing") > 0
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert machine.gpus(tmp_path) == ("2", "10")
    assert machine.gpus(tmp_path / "nothing") == ()
