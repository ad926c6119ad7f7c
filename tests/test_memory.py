"""What was used last is kept, within its bound."""

from __future__ import annotations

from medperf_git.memory import Memory


def test_a_memory_keeps_its_bound() -> None:
    memory = Memory[int](most=100)
    for number in range(1000):
        memory.put(str(number), number, number % 7)
        assert sum(weight for _, weight in memory._known.values()) <= 100
    assert memory.get("999") == 999
    assert memory.get("1") is None


def test_what_is_too_heavy_is_not_remembered() -> None:
    memory = Memory[int](most=10)
    memory.put("light", 1, 1)
    memory.put("heavy", 2, 11)
    assert memory.get("heavy") is None
    memory.put("light", 1, 10)
    memory.put("light", 3, 10)
    assert memory.get("light") == 3
