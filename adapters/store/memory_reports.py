"""What agents told, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.store.hearing import hear, told_again
from adapters.store.logs import Log, chunks, numbered
from adapters.store.memory_state import MemoryPart, Run
from adapters.store.reports import REMEMBERED, seen_of
from domain.deployments import TargetRecord, TargetStatus
from domain.fleet import AgentSeen
from domain.moves import Heard, LogChunk
from domain.reports import AgentHello, LogLines
from domain.values import Instant


class MemoryReports(MemoryPart):
    """The Store's methods on what agents told."""

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
            self._agents[hello.host] = hello.at
            for host in [host for host, at in self._agents.items() if at < hello.at - REMEMBERED]:
                del self._agents[host]

    def agents(self, *, since: Instant | None = None) -> int:
        """How many agents were heard of since then, or lately."""
        with self._lock:
            return sum(since is None or at >= since for at in self._agents.values())

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
            changed = after is not None or told_again(record, report)
            run.records[report.target_id] = after or record
        if changed and heard.check_at is not None and record.status is TargetStatus.IN_PROGRESS:
            self._look_again(run, record, heard.check_at)

    def _append(self, run: Run, report: LogLines) -> bool:
        place = (report.target_id, report.event.value)
        log = run.logs.get(place)
        if log is None or log.attempt != report.attempt:
            log = Log(report.attempt)
        changed = log.append(numbered(report), self._log_limit // 2)
        if changed:
            run.logs[place] = log
        return changed

    def _look_again(self, run: Run, record: TargetRecord, check_at: Instant) -> None:
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

    def seen(self, hosts: Sequence[str]) -> list[AgentSeen | None]:
        """When the agents of hosts were last heard of."""
        with self._lock:
            return [self._seen.get(host) for host in hosts]
