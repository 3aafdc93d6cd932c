"""A channel in memory, for tests and for trying things out: what it was told, in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile

from domain.channels import Delivery, Refusal
from domain.errors import PublishRefused, WorldError
from domain.happenings import Happening


class MemoryPublisher:
    """Takes `at_once` happenings in one step, unless it is `away`, or `refuses` one by its event id, as a whole or for
    a `part` of it. Those `unwanted` it is not told of."""

    def __init__(self, *, patience: float | None = None, at_once: int = 1) -> None:
        self.patience = patience
        self.at_once = at_once
        self.away = False
        self.unwanted: Collection[str] = ()
        self.refuses: Collection[str] = ()
        self.part_refuses: Collection[str] = ()
        self.heard: list[Happening] = []
        self.tries = 0

    def wants(self, happening: Happening) -> bool:
        """All but those `unwanted`."""
        return happening.event_id not in self.unwanted

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        """Tell the first of them."""
        self.tries += 1
        if self.away:
            raise WorldError("the channel is away")
        if happenings[0].event_id in self.refuses:
            raise PublishRefused("the channel does not want it")
        taken = list(takewhile(lambda each: each.event_id not in self.refuses, happenings[: self.at_once]))
        self.heard += taken
        refused = [each for each in taken if each.event_id in self.part_refuses]
        why = "a part does not want it"
        return Delivery(done=len(taken), refusals=tuple(Refusal(happening=each, why=why) for each in refused))
