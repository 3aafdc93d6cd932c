"""Targets and lanes in Redis: a small key for each, counters in one hash per phase, due lanes in shards of 256."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from adapters.store.connection import Answer
from adapters.store.contention import tries
from adapters.store.outbox import as_told
from adapters.store.part import Part
from adapters.store.records import compact, decode_record, encode_record, instant, pairs
from adapters.store.steps import Written, take_step
from domain.deployments import Deployment, Lane, Progress, TargetRecord
from domain.errors import Conflict
from domain.fleet import HostRecord
from domain.moves import Due, LaneView, Move, Step
from domain.values import Instant

MOST_KNOWN = 256
"""Deployments kept parsed, for lanes that look at them at every step."""
BATCH = 500
"""Records read or written by one script."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a view was read from, as the store holds it: a step is written only if all of it still stands."""

    version: str
    lane: str
    current: Mapping[str, str]
    upcoming: Mapping[str, str]
    known: str


class Lanes(Part):
    """The Store's methods on targets, phases and lanes."""

    _parsed: dict[str, tuple[str, Deployment]]

    def lay_out(self, deployment_id: str, records: Sequence[TargetRecord]) -> None:
        """Keep target records at their indexes; harmless when repeated."""
        for at in range(0, len(records), BATCH):
            page = [
                [record.target.target_id, str(record.index), _flat(encode_record(record))]
                for record in records[at : at + BATCH]
            ]
            self._connection.run("lay_out", {"id": deployment_id, "records": page})

    def open_phase(self, deployment_id: str, phase: int, progress: Progress, *, check_at: Instant) -> None:
        """Start the counters of a phase and make each of its lanes due."""
        given = {
            "id": deployment_id,
            "phase": phase,
            "progress": _flat(_counters(progress)),
            "lanes": progress.lanes,
            "check_at": instant(check_at),
        }
        self._connection.run("open_phase", given)

    def progress(self, deployment_id: str, phase: int) -> Progress | None:
        """The counters of a phase, None before it opened."""
        held = self._connection.ask(lambda redis: redis.hgetall(self._keys("progress", deployment_id, phase)))
        return Progress.model_validate(held) if held else None

    def lane(self, deployment_id: str, phase: int, number: int) -> Lane:
        """A lane as it stands; one that was never touched is at step 0."""
        held = self._connection.ask(lambda redis: redis.get(self._keys("lane", deployment_id, phase, number)))
        return Lane.model_validate_json(held) if held else Lane(number=number)

    def target(self, deployment_id: str, target_id: str) -> TargetRecord | None:
        """One target's record, or None."""
        return self.targets_named(deployment_id, [target_id])[0]

    def targets_named(self, deployment_id: str, target_ids: Sequence[str]) -> list[TargetRecord | None]:
        """Records in the order of the ids."""
        if not target_ids:
            return []
        found = self._connection.ask_all(
            lambda pipe: [pipe.hgetall(self._keys("target", deployment_id, target_id)) for target_id in target_ids]
        )
        return [
            decode_record(target_id, held) if held else None for target_id, held in zip(target_ids, found, strict=True)
        ]

    def targets(self, deployment_id: str, *, first: int = 0, count: int = 100) -> list[TargetRecord]:
        """Records in pick order, from index `first`."""
        records: list[TargetRecord] = []
        for at in range(first, first + count, BATCH):
            given = {"id": deployment_id, "first": at, "count": min(BATCH, first + count - at)}
            page = self._connection.run("targets", given)
            if not page:
                break
            records += [decode_record(name, pairs(held)) for name, held in zip(page[::2], page[1::2], strict=True)]
        return records

    def host_records(self, group_id: str, hosts: Sequence[str]) -> list[HostRecord]:
        """What a group remembers of hosts; a fresh record where it remembers nothing."""
        pages = (hosts[at : at + BATCH] for at in range(0, len(hosts), BATCH))
        return [record for page in pages for record in self._host_page(group_id, page)]

    def _host_page(self, group_id: str, hosts: Sequence[str]) -> list[HostRecord]:
        names = [self._keys("host", group_id, host) for host in hosts]
        held = self._connection.ask(lambda redis: redis.mget(names))
        return [HostRecord.model_validate_json(text) if text else HostRecord() for text in held]

    def advance(
        self, deployment_id: str, phase: int, lane: int, choose: Callable[[LaneView], Move]
    ) -> tuple[LaneView, Move] | None:
        """Make one move of a lane under optimistic locking."""
        for _ in tries():
            seen = self._view(deployment_id, phase, lane)
            if seen is None:
                return None
            view, marks = seen
            move = choose(view)
            if not isinstance(move, Step) or self._write_step(view, marks, phase, move):
                return view, move
        raise Conflict(
            f"lane {lane} of deployment {deployment_id} was overtaken at every attempt to move it; try again"
        )

    def _view(self, deployment_id: str, phase: int, lane: int) -> tuple[LaneView, Marks] | None:
        known_version, known = self._parsed.get(deployment_id, ("", None))
        given = {"id": deployment_id, "phase": phase, "lane": lane, "known": known_version}
        answer: Answer = self._connection.run("view", given)
        if answer is None:
            return None
        document, version, progress, held, current_id, current, upcoming_id, upcoming, host = answer
        deployment = known if document is None else self._parse(deployment_id, document, version)
        assert deployment is not None  # noqa: S101  (left out only where its version is known)
        marks = Marks(
            version=version, lane=held or "", current=pairs(current), upcoming=pairs(upcoming), known=host or ""
        )
        return _view_of(deployment, pairs(progress), lane, marks, (current_id, upcoming_id)), marks

    def _parse(self, deployment_id: str, document: str, version: str) -> Deployment:
        deployment = Deployment.model_validate_json(document)
        if len(self._parsed) >= MOST_KNOWN:
            self._parsed.clear()
        self._parsed[deployment_id] = (version, deployment)
        return deployment

    def _write_step(self, view: LaneView, marks: Marks, phase: int, step: Step) -> bool:
        written = take_step(view, phase, step)
        given = {
            "id": view.deployment.deployment_id,
            "phase": phase,
            "lane": view.lane.number,
            "version": marks.version,
            "progress_version": str(view.progress.version),
            "progress": _flat(_changed(_counters(view.progress), _counters(written.progress))[0]),
            "lane_before": marks.lane,
            "lane_after": _encode_lane(written.lane),
            "records": list(_record_edits(marks, written, phase)),
            "check_at": instant(step.check_at),
            "happenings": as_told(step.happenings),
            **_host_edit(view, marks, step),
        }
        return bool(self._connection.run("step", given))

    def due(self, now: Instant, *, limit: int = 100) -> list[Due]:
        """Lanes to be looked at, the most overdue first."""
        if limit <= 0:
            return []
        shards = self._connection.run("due", {"now": instant(now), "limit": limit})
        found = [
            Due(deployment_id=deployment_id, phase=phase, lane=int(lane), check_at=float(at))
            for (deployment_id, phase), lanes in _by_phase(shards)
            for lane, at in pairs(lanes).items()
        ]
        return sorted(found, key=urgency)[:limit]

    def watched(self, due: Sequence[Due]) -> list[tuple[Lane, TargetRecord | None]]:
        """Each lane as it stands, and the record of the target it works on, if any."""
        held = self._connection.ask_all(
            lambda pipe: [pipe.get(self._keys("lane", each.deployment_id, each.phase, each.lane)) for each in due]
        )
        lanes = [
            Lane.model_validate_json(text) if text else Lane(number=each.lane)
            for each, text in zip(due, held, strict=True)
        ]
        # A key that nobody has stands in for the target of a lane that works on none.
        found = self._connection.ask_all(
            lambda pipe: [
                pipe.hgetall(self._keys("target", each.deployment_id, lane.target_id or ""))
                for each, lane in zip(due, lanes, strict=True)
            ]
        )
        return [
            (lane, decode_record(lane.target_id, fields) if lane.target_id and fields else None)
            for lane, fields in zip(lanes, found, strict=True)
        ]

    def postpone(self, looks: Sequence[tuple[Due, Instant]]) -> None:
        """Look at each lane again at that moment, unless it moved or retired since."""
        given = [
            {
                "id": due.deployment_id,
                "phase": due.phase,
                "lane": due.lane,
                "before": instant(due.check_at),
                "check_at": instant(check_at),
            }
            for due, check_at in looks
        ]
        self._connection.run("postpone", {"looks": given})


def urgency(due: Due) -> tuple[Instant, str, int, int]:
    """The order in which lanes are looked at."""
    return due.check_at, due.deployment_id, due.phase, due.lane


def _by_phase(shards: list[Answer]) -> Iterable[tuple[tuple[str, int], list[str]]]:
    for member, lanes in zip(shards[::2], shards[1::2], strict=True):
        deployment_id, phase, _ = member.split(":")
        yield (unquote(deployment_id), int(phase)), lanes


def _view_of(
    deployment: Deployment,
    progress: Mapping[str, str],
    lane: int,
    marks: Marks,
    targets: tuple[str | None, str | None],
) -> LaneView:
    current, upcoming = targets
    return LaneView(
        deployment=deployment,
        progress=Progress.model_validate(progress),
        lane=Lane.model_validate_json(marks.lane) if marks.lane else Lane(number=lane),
        current=decode_record(current, marks.current) if current and marks.current else None,
        upcoming=decode_record(upcoming, marks.upcoming) if upcoming and marks.upcoming else None,
        known=HostRecord.model_validate_json(marks.known) if marks.known else HostRecord(),
    )


def _record_edits(marks: Marks, written: Written, phase: int) -> Iterable[dict[str, object]]:
    for before, after, added in (
        (marks.current, written.concluded, {}),
        (marks.upcoming, written.taken, {"phase": str(phase)}),
    ):
        if after is not None:
            changed, dropped = _changed(before, {**encode_record(after), **added})
            yield {
                "id": after.target.target_id,
                "version": before.get("version", ""),
                "set": _flat(changed) or ["index", str(after.index)],
                "drop": [name for name in dropped if name not in ("version", "phase")],
            }


def _host_edit(view: LaneView, marks: Marks, step: Step) -> dict[str, object]:
    if step.conclude is None:
        return {}
    after = step.conclude.remember.model_dump_json(exclude_none=True)
    return {
        "group": view.deployment.deployment_group_id,
        "host": {"id": step.conclude.target_id, "before": marks.known, "after": after},
    }


def _encode_lane(lane: Lane) -> str:
    # The mark tells this write from another's of the same content, when its answer was lost and it is sent again.
    return compact({**lane.model_dump(mode="json", exclude_defaults=True), "mark": secrets.token_hex(4)})


def _counters(progress: Progress) -> dict[str, str]:
    return {name: str(value) for name, value in progress.model_dump(by_alias=False).items()}


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    changed = {name: text for name, text in after.items() if before.get(name) != text}
    return changed, [name for name in before if name not in after]


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [text for pair in fields.items() for text in pair]
