"""The store in memory: for tests and for trying things out. It passes the contract of the Redis store and forgets all
when the process ends."""

from __future__ import annotations

import copy
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import RLock

from adapters.store.deployments import TOKEN_SECONDS, as_queued, check_change, group_busy, id_taken
from adapters.store.hearing import hear
from adapters.store.lanes import urgency
from adapters.store.logs import Log, chunks, numbered
from adapters.store.memory_shelf import MemoryShelf, kept
from adapters.store.outbox import MOST_HISTORY, checked_place
from adapters.store.reports import seen_of
from adapters.store.steps import take_step
from domain.applications import Application
from domain.configs import DeploymentConfig
from domain.deployments import Deployment, Lane, Progress, TargetRecord, TargetStatus
from domain.fleet import AgentSeen, HostRecord, Instance
from domain.groups import DeploymentGroup
from domain.happenings import Happening
from domain.moves import Admitted, Change, Changed, Due, Heard, LaneView, LogChunk, Move, Step
from domain.ports import Shelf
from domain.reports import AgentHello, LogLines
from domain.revisions import Revision
from domain.values import Instant


@dataclass(slots=True)
class _Run:
    """One deployment and what belongs to it."""

    deployment: Deployment
    order: dict[int, str] = field(default_factory=dict)
    records: dict[str, TargetRecord] = field(default_factory=dict)
    phase_of: dict[str, int] = field(default_factory=dict)
    """The phase in which a target was taken."""
    progress: dict[int, Progress] = field(default_factory=dict)
    lanes: dict[tuple[int, int], Lane] = field(default_factory=dict)
    due: dict[tuple[int, int], Instant] = field(default_factory=dict)
    logs: dict[tuple[str, str], Log] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        return self.deployment.status.final


class MemoryStore:
    """Everything under one lock; `log_limit` is in bytes per event."""

    def __init__(self, *, log_limit: int = 1_048_576) -> None:
        self._lock = RLock()
        self._log_limit = log_limit
        self._owner = secrets.token_hex(8)
        self._applications = MemoryShelf[Application](self._lock)
        self._groups = MemoryShelf[DeploymentGroup](self._lock)
        self._configs = MemoryShelf[DeploymentConfig](self._lock)
        self._instances = MemoryShelf[Instance](self._lock)
        self._revisions = MemoryShelf[Revision](self._lock)
        self._runs: dict[str, _Run] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._running: dict[str, str] = {}
        self._waiting: dict[str, deque[str]] = {}
        self._hosts: dict[tuple[str, str], HostRecord] = {}
        self._seen: dict[str, AgentSeen] = {}
        self._outbox: dict[str, Happening] = {}
        self._history: deque[tuple[str, Happening]] = deque(maxlen=MOST_HISTORY)
        self._places = iter(range(1, 2**62))
        self._claims: dict[str, tuple[str, float]] = {}

    def peer(self) -> MemoryStore:
        """The same store as another process would hold it: it shares everything but leases."""
        other = copy.copy(self)
        other._owner = secrets.token_hex(8)
        return other

    @property
    def applications(self) -> Shelf[Application]:
        """By name."""
        return self._applications

    @property
    def groups(self) -> Shelf[DeploymentGroup]:
        """By `application/group`."""
        return self._groups

    @property
    def configs(self) -> Shelf[DeploymentConfig]:
        """Custom ones, by name."""
        return self._configs

    @property
    def instances(self) -> Shelf[Instance]:
        """On-premises instances, by name."""
        return self._instances

    @property
    def revisions(self) -> Shelf[Revision]:
        """By `application/identity`."""
        return self._revisions

    def admit(
        self, deployment: Deployment, *, token: str | None, queue: bool, happenings: Sequence[Happening] = ()
    ) -> Admitted:
        """Keep a new deployment and claim its group."""
        with self._lock:
            if earlier := self._remembered(token):
                return Admitted(deployment_id=earlier, repeated=True, queued=self._waits(earlier))
            if deployment.deployment_id in self._runs:
                raise id_taken(deployment.deployment_id)
            running = self._running.get(deployment.deployment_group_id)
            if running is not None and not queue:
                raise group_busy(deployment, running)
            self._keep(deployment, running)
            if token:
                self._tokens[token] = (deployment.deployment_id, time.monotonic() + TOKEN_SECONDS)
            self._tell(happenings)
            return Admitted(deployment_id=deployment.deployment_id, queued=running is not None)

    def _remembered(self, token: str | None) -> str | None:
        deployment_id, until = self._tokens.get(token or "", ("", 0.0))
        return deployment_id if deployment_id and time.monotonic() < until else None

    def _waits(self, deployment_id: str) -> bool:
        group_id = self._runs[deployment_id].deployment.deployment_group_id
        return deployment_id in self._waiting.get(group_id, ())

    def _keep(self, deployment: Deployment, running: str | None) -> None:
        group_id, deployment_id = deployment.deployment_group_id, deployment.deployment_id
        self._runs[deployment_id] = _Run(kept(deployment if running is None else as_queued(deployment)))
        if running is None:
            self._running[group_id] = deployment_id
        else:
            self._waiting.setdefault(group_id, deque()).append(deployment_id)

    def _tell(self, happenings: Sequence[Happening]) -> None:
        for happening in happenings:
            self._outbox[self._place()] = kept(happening)

    def _place(self) -> str:
        return f"{next(self._places)}-0"

    def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment, or None."""
        with self._lock:
            run = self._runs.get(deployment_id)
            return run.deployment if run else None

    def deployments(self, deployment_ids: Sequence[str]) -> list[Deployment | None]:
        """Deployments in the order of the ids."""
        with self._lock:
            return [self.deployment(deployment_id) for deployment_id in deployment_ids]

    def recent(self, *, group_id: str | None = None, skip: int = 0, limit: int = 100) -> list[str]:
        """Deployment ids, newest first, of one group or of all."""
        with self._lock:
            found = sorted(
                (run.deployment.create_time, deployment_id)
                for deployment_id, run in self._runs.items()
                if group_id is None or run.deployment.deployment_group_id == group_id
            )
            return [deployment_id for _, deployment_id in found[::-1][skip : skip + max(limit, 0)]]

    def active(self, *, after: str = "", limit: int = 100) -> list[str]:
        """Ids of deployments that have not ended, in id order."""
        with self._lock:
            found = sorted(name for name, run in self._runs.items() if not run.final and name > after)
            return found[: max(limit, 0)]

    def running(self, group_id: str) -> str | None:
        """The deployment that holds the group."""
        with self._lock:
            return self._running.get(group_id)

    def change(self, deployment_id: str, edit: Callable[[Deployment], Change | None]) -> Changed | None:
        """Edit a deployment."""
        with self._lock:
            run = self._runs.get(deployment_id)
            change = edit(run.deployment) if run else None
            if run is None or change is None:
                return None
            before, after = run.deployment, kept(change.deployment)
            check_change(before, after)
            run.deployment = after
            self._tell(change.happenings)
            ends = after.status.final and not before.status.final
            return Changed(deployment=after, freed=self._end(run) if ends else None)

    def _end(self, run: _Run) -> str | None:
        run.due.clear()
        deployment_id, group_id = run.deployment.deployment_id, run.deployment.deployment_group_id
        waiting = self._waiting.get(group_id, deque())
        if self._running.get(group_id) != deployment_id:
            waiting.remove(deployment_id)
            return None
        if waiting:
            self._running[group_id] = waiting.popleft()
            return self._running[group_id]
        del self._running[group_id]
        return None

    def lay_out(self, deployment_id: str, records: Sequence[TargetRecord]) -> None:
        """Keep target records at their indexes; harmless when repeated."""
        with self._lock:
            if run := self._runs.get(deployment_id):
                for record in records:
                    self._lay(run, kept(record))

    def _lay(self, run: _Run, record: TargetRecord) -> None:
        known, occupant = run.records.get(record.target.target_id), run.order.get(record.index)
        there = [each for each in (known, run.records[occupant] if occupant else None) if each is not None]
        if any(run.progress or each.status is not TargetStatus.PENDING for each in there):
            return
        if known is not None:
            del run.order[known.index]
        if occupant is not None:
            del run.records[occupant]
        run.records[record.target.target_id] = record
        run.order[record.index] = record.target.target_id

    def open_phase(self, deployment_id: str, phase: int, progress: Progress, *, check_at: Instant) -> None:
        """Start the counters of a phase and make each of its lanes due."""
        with self._lock:
            run = self._runs.get(deployment_id)
            if run is None or run.final or phase in run.progress:
                return
            run.progress[phase] = progress
            run.due.update({(phase, lane): check_at for lane in range(progress.lanes)})

    def progress(self, deployment_id: str, phase: int) -> Progress | None:
        """The counters of a phase, None before it opened."""
        with self._lock:
            run = self._runs.get(deployment_id)
            return run.progress.get(phase) if run else None

    def lane(self, deployment_id: str, phase: int, number: int) -> Lane:
        """A lane as it stands; one that was never touched is at step 0."""
        with self._lock:
            run = self._runs.get(deployment_id)
            return (run.lanes.get((phase, number)) if run else None) or Lane(number=number)

    def advance(
        self, deployment_id: str, phase: int, lane: int, choose: Callable[[LaneView], Move]
    ) -> tuple[LaneView, Move] | None:
        """Make one move of a lane."""
        with self._lock:
            run = self._runs.get(deployment_id)
            if run is None or phase not in run.progress or not lane < run.progress[phase].lanes:
                return None
            view = self._view(run, phase, lane)
            move = choose(view)
            if isinstance(move, Step):
                self._write(run, view, phase, move)
            return view, move

    def _view(self, run: _Run, phase: int, number: int) -> LaneView:
        progress, lane = run.progress[phase], run.lanes.get((phase, number), Lane(number=number))
        phases = run.deployment.phases
        index = (phases[phase].first if phase < len(phases) else 0) + progress.taken
        ahead = run.order.get(index) if progress.taken < progress.total else None
        group_id = run.deployment.deployment_group_id
        return LaneView(
            deployment=run.deployment,
            progress=progress,
            lane=lane,
            current=run.records.get(lane.target_id or ""),
            upcoming=run.records.get(ahead or ""),
            known=self._hosts.get((group_id, lane.target_id or ""), HostRecord()),
        )

    def _write(self, run: _Run, view: LaneView, phase: int, step: Step) -> None:
        written = take_step(view, phase, step)
        place = (phase, view.lane.number)
        run.progress[phase], run.lanes[place] = written.progress, written.lane
        for record in (written.concluded, written.taken):
            if record is not None:
                run.records[record.target.target_id] = record
        if step.conclude:
            self._hosts[run.deployment.deployment_group_id, step.conclude.target_id] = step.conclude.remember
        if step.take is None:
            run.due.pop(place, None)
        else:
            run.phase_of[step.take.target_id] = phase
            if not run.final:
                run.due[place] = step.take.check_at
        self._tell(step.happenings)

    def target(self, deployment_id: str, target_id: str) -> TargetRecord | None:
        """One target's record, or None."""
        with self._lock:
            run = self._runs.get(deployment_id)
            return run.records.get(target_id) if run else None

    def targets(self, deployment_id: str, *, first: int = 0, count: int = 100) -> list[TargetRecord]:
        """Records in pick order, from index `first`."""
        with self._lock:
            run = self._runs.get(deployment_id)
            if run is None:
                return []
            return [run.records[run.order[index]] for index in range(first, first + count) if index in run.order]

    def host_records(self, group_id: str, hosts: Sequence[str]) -> list[HostRecord]:
        """What a group remembers of hosts; a fresh record where it remembers nothing."""
        with self._lock:
            return [self._hosts.get((group_id, host), HostRecord()) for host in hosts]

    def record(self, heard: Sequence[Heard]) -> None:
        """Keep what agents told, in order."""
        with self._lock:
            for each in heard:
                if isinstance(each.report, AgentHello):
                    self._greet(each.report)
                else:
                    self._hear(each)

    def _greet(self, hello: AgentHello) -> None:
        known = self._seen.get(hello.host)
        if known is None or hello.at >= known.at:
            self._seen[hello.host] = seen_of(hello)

    def _hear(self, heard: Heard) -> None:
        report = heard.report
        assert not isinstance(report, AgentHello)  # noqa: S101  (told apart by the caller)
        run = self._runs.get(report.deployment_id)
        record = run.records.get(report.target_id) if run else None
        if run is None or record is None or record.attempt != report.attempt:
            return
        if isinstance(report, LogLines):
            changed = self._append(run, report)
        else:
            after = hear(record, report)
            changed = after is not None
            run.records[report.target_id] = after or record
        if changed and heard.check_at is not None and record.status is TargetStatus.IN_PROGRESS:
            self._look_again(run, record, heard.check_at)

    def _append(self, run: _Run, report: LogLines) -> bool:
        place = (report.target_id, report.event.value)
        log = run.logs.get(place)
        if log is None or log.attempt != report.attempt:
            log = Log(report.attempt)
        changed = log.append(numbered(report), self._log_limit // 2)
        if changed:
            run.logs[place] = log
        return changed

    def _look_again(self, run: _Run, record: TargetRecord, check_at: Instant) -> None:
        phase = run.phase_of.get(record.target.target_id)
        if phase is not None and record.lane is not None and (phase, record.lane) in run.due:
            run.due[phase, record.lane] = check_at

    def log(self, deployment_id: str, target_id: str, event: str, *, after: int = 0) -> list[LogChunk]:
        """The chunks of an event's log whose lines are numbered `after` or higher."""
        with self._lock:
            run = self._runs.get(deployment_id)
            log = run.logs.get((target_id, event)) if run else None
            if log is None:
                return []
            return chunks(event, log.head, log.tail, dropped=log.dropped, upcoming=log.next, after=after)

    def due(self, now: Instant, *, limit: int = 100) -> list[Due]:
        """Lanes to be looked at, the most overdue first."""
        with self._lock:
            found = [
                Due(deployment_id=deployment_id, phase=phase, lane=lane, check_at=at)
                for deployment_id, run in self._runs.items()
                for (phase, lane), at in run.due.items()
                if at <= now
            ]
            return sorted(found, key=urgency)[: max(limit, 0)]

    def postpone(self, due: Due, check_at: Instant) -> None:
        """Look at the lane again at `check_at`, unless it moved or retired since."""
        with self._lock:
            run = self._runs.get(due.deployment_id)
            if run and run.due.get((due.phase, due.lane)) == due.check_at:
                run.due[due.phase, due.lane] = check_at

    def seen(self, hosts: Sequence[str]) -> list[AgentSeen | None]:
        """When the agents of hosts were last heard of."""
        with self._lock:
            return [self._seen.get(host) for host in hosts]

    def outbox(self, *, limit: int = 100) -> list[tuple[str, Happening]]:
        """Happenings not told yet, oldest first, each with its place in the outbox."""
        with self._lock:
            return list(self._outbox.items())[: max(limit, 0)]

    def told(self, places: Sequence[str]) -> None:
        """Move happenings that were told from the outbox to the history."""
        with self._lock:
            for place in places:
                if (happening := self._outbox.pop(place, None)) is not None:
                    self._history.append((self._place(), happening))

    def history(self, *, after: str = "", limit: int = 100) -> list[tuple[str, Happening]]:
        """Happenings told lately, oldest first, each with a cursor; raises CallerError for a cursor that is none."""
        last = int(checked_place(after).partition("-")[0]) if after else 0
        with self._lock:
            found = [entry for entry in self._history if int(entry[0].partition("-")[0]) > last]
            return found[: max(limit, 0)]

    def claim(self, name: str, seconds: float) -> bool:
        """Take (or, as its holder, keep) a lease; the holder is this store."""
        with self._lock:
            now = time.monotonic()
            owner, until = self._claims.get(name, (self._owner, 0.0))
            if owner != self._owner and now < until:
                return False
            self._claims[name] = (self._owner, now + seconds)
            return True

    def ping(self) -> None:
        """Return: memory always answers."""

    def close(self) -> None:
        """Nothing to give back."""
