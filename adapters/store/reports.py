"""What agents told, in Redis: a batch is one script, an event a field of its target's hash, a log two lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.store.hearing import outcome_of, told_at
from adapters.store.logs import MOST_GAPS, Line, chunks, numbered
from adapters.store.part import Part
from adapters.store.records import encode_event, event_of, instant
from domain.fleet import AgentSeen
from domain.moves import Heard, LogChunk
from domain.reports import AgentHello, EventFinished, EventStarted, LogLines
from domain.values import Instant

REMEMBERED = 30 * 86_400
"""Seconds after which an agent that is heard of no more counts no longer."""
BATCH = 500
BATCH_TEXT = 1_000_000
"""One script gets so many reports, and about so many characters of log: others wait while it runs."""


class Reports(Part):
    """The Store's methods on what agents told."""

    def record(self, heard: Sequence[Heard]) -> None:
        """Keep what agents told, in order and in few round trips."""
        for batch in _batches(heard):
            given = {"half": self._log_limit // 2, "most_gaps": MOST_GAPS, "reports": batch}
            self._connection.run("record", given)

    def log(self, deployment_id: str, target_id: str, event: str, *, after: int = 0) -> list[LogChunk]:
        """The chunks of an event's log whose lines are numbered `after` or higher."""
        name = self._keys("log", deployment_id, target_id, event)
        (dropped, upcoming), head, tail = self._connection.ask_all(
            lambda pipe: (
                pipe.hmget(name, ["dropped", "next"]),
                pipe.lrange(f"{name}:head", 0, -1),
                pipe.lrange(f"{name}:tail", 0, -1),
            ),
            at_once=True,
        )
        return chunks(
            event, _lines(head), _lines(tail), dropped=int(dropped or 0), upcoming=int(upcoming or 0), after=after
        )

    def seen(self, hosts: Sequence[str]) -> list[AgentSeen | None]:
        """When the agents of hosts were last heard of."""
        if not hosts:
            return []
        found = self._connection.ask_all(lambda pipe: [pipe.hget(self._keys("seen", host), "d") for host in hosts])
        return [AgentSeen.model_validate_json(text) if text else None for text in found]

    def agents(self, *, since: Instant | None = None) -> int:
        """How many agents were heard of since then, or lately."""
        low = "-inf" if since is None else instant(since)
        return int(self._connection.ask(lambda redis: redis.zcount(self._keys("agents"), low, "+inf")))


def _batches(heard: Sequence[Heard]) -> Iterator[list[dict[str, object]]]:
    batch: list[dict[str, object]] = []
    size = 0
    for each in heard:
        batch.append(_encode(each))
        size += sum(map(len, each.report.lines)) if isinstance(each.report, LogLines) else 0
        if len(batch) >= BATCH or size >= BATCH_TEXT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _encode(heard: Heard) -> dict[str, object]:
    report = heard.report
    if isinstance(report, AgentHello):
        return {
            "kind": "hello",
            "host": report.host,
            "at": instant(report.at),
            "forget": instant(report.at - REMEMBERED),
            "d": seen_of(report).model_dump_json(),
        }
    about = {
        "kind": report.kind,
        "id": report.deployment_id,
        "target": report.target_id,
        "attempt": report.attempt,
        "check_at": instant(heard.check_at),
    }
    if isinstance(report, LogLines):
        lines = numbered(report)
        return {**about, "event": report.event.value, "first": report.first, "lines": [text for _, text in lines]}
    return {**about, **_encode_event(report)}


def _encode_event(report: EventStarted | EventFinished) -> dict[str, object]:
    outcome = outcome_of(report)
    fields: dict[str, object] = {
        "event": outcome.event.value,
        "status": outcome.status.value,
        "start": instant(outcome.start_time),
        "end": instant(outcome.end_time),
        "at": instant(told_at(report)),
        "interrupted": isinstance(report, EventFinished) and report.interrupted,
    }
    _, rest = encode_event(event_of(outcome))
    return fields if rest is None else {**fields, "rest": rest}


def _lines(held: list[str]) -> list[Line]:
    return [(int(number), text) for number, _, text in (line.partition(" ") for line in held)]


def seen_of(hello: AgentHello) -> AgentSeen:
    """What is kept of an agent's hello."""
    return AgentSeen.model_validate(hello.model_dump(by_alias=False, exclude={"kind"}))
