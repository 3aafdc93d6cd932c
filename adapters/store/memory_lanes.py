"""Targets and lanes in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.store.lanes import urgency
from adapters.store.memory_shelf import kept
from adapters.store.memory_state import MemoryPart, Run
from adapters.store.steps import take_step
from domain.deployments import Lane, Progress, TargetRecord, TargetStatus
from domain.fleet import HostRecord
from domain.moves import Due, LaneView, Move, Step
from domain.values import Instant


class MemoryLanes(MemoryPart):
    """The Store's methods on targets, phases and lanes."""

    def lay_out(self, deployment_id: str, records: Sequence[TargetRecord]) -> None:
        """Keep target records at their indexes; harmless when repeated."""
        with self._lock:
            if run := self._runs.get(deployment_id):
                for record in records:
                    self._lay(run, kept(record))

    def _lay(self, run: Run, record: TargetRecord) -> None:
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

    def _view(self, run: Run, phase: int, number: int) -> LaneView:
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

    def _write(self, run: Run, view: LaneView, phase: int, step: Step) -> None:
        written = take_step(view, phase, step)
        place = (phase, view.lane.number)
        run.progress[phase], run.lanes[place] = written.progress, written.lane
        for record in (written.concluded, written.taken):
            if record is not None:
                run.records[record.target.target_id] = record
        if step.conclude:
            self._hosts[run.deployment.deployment_group_id, step.conclude.target_id] = step.conclude.remember
        if step.check_at is None:
            run.due.pop(place, None)
        elif not run.final:
            run.due[place] = step.check_at
        if step.take:
            run.phase_of[step.take.target_id] = phase
        self._tell(step.happenings)

    def target(self, deployment_id: str, target_id: str) -> TargetRecord | None:
        """One target's record, or None."""
        with self._lock:
            run = self._runs.get(deployment_id)
            return run.records.get(target_id) if run else None

    def targets_named(self, deployment_id: str, target_ids: Sequence[str]) -> list[TargetRecord | None]:
        """Records in the order of the ids."""
        with self._lock:
            return [self.target(deployment_id, target_id) for target_id in target_ids]

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

    def watched(self, due: Sequence[Due]) -> list[tuple[Lane, TargetRecord | None]]:
        """Each lane as it stands, and the record of the target it works on, if any."""
        with self._lock:
            lanes = [(each, self.lane(each.deployment_id, each.phase, each.lane)) for each in due]
            return [
                (lane, self.target(each.deployment_id, lane.target_id) if lane.target_id else None)
                for each, lane in lanes
            ]

    def postpone(self, looks: Sequence[tuple[Due, Instant]]) -> None:
        """Look at each lane again at that moment, unless it moved or retired since."""
        with self._lock:
            for due, check_at in looks:
                run = self._runs.get(due.deployment_id)
                if run and run.due.get((due.phase, due.lane)) == due.check_at:
                    run.due[due.phase, due.lane] = check_at
