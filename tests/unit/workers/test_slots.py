"""What an agent says of its work."""

from __future__ import annotations

from workers.slots import Load, Slots


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_agent_is_full_from_its_last_free_slot_until_one_is_free_again() -> None:
    clock = Clock()
    slots = Slots(2, now=clock)
    clock.now = 105.0
    assert slots.load() == Load(0, 2, 100.0)
    slots.begin()
    assert slots.load() == Load(1, 2, 100.0)
    slots.begin()
    clock.now = 110.0
    assert slots.load() == Load(2, 2, 110.0)
    clock.now = 120.0
    slots.end()
    clock.now = 130.0
    assert slots.load() == Load(1, 2, 120.0)
