"""Green from a program of the user's: it makes hosts and prints them, another removes them.

The programs run in threads of a control process, one at a time for a deployment, whichever process that is. What came
of a run is kept, so that any process tells it; what broke off is run again, which programs have to bear.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from adapters.environments.answers import BadAnswer, MadeHost, asked, dismissed, known_hosts, read_hosts
from adapters.environments.errands import Errands, Lease
from adapters.environments.program import Program, run_program
from adapters.environments.registry import Registry, Taken
from adapters.environments.telling import named
from domain.environments import EnvironmentRecord, EnvironmentState, GreenOrder, Provisioned, Retirement
from domain.errors import CannotBegin, CannotProvision
from domain.fleet import Instance
from domain.ports import Shelf

logger = logging.getLogger(__name__)

_OVER = frozenset({EnvironmentState.ABANDONED, EnvironmentState.RETIRED})
_FORSAKEN = frozenset({EnvironmentState.ABANDONING, EnvironmentState.ABANDONED})


@dataclass(frozen=True, slots=True)
class Programs:
    """How an environment's hosts are made and removed, and how many are made where there was none."""

    provision: Program
    retire: Program
    first_count: int = 1


class CommandEnvironment:
    """The environment of one name. Green's hosts belong to `<name>/<deployment id>` until they take blue's place."""

    def __init__(
        self, programs: Programs, records: Shelf[EnvironmentRecord], registry: Registry, errands: Errands
    ) -> None:
        self._programs = programs
        self._records = records
        self._registry = registry
        self._errands = errands

    def provision(self, order: GreenOrder) -> Provisioned | None:
        """Have the hosts made; None while they are. Raises CannotProvision."""
        record = self._records.get(order.deployment_id)
        if record is None:
            self._records.add(order.deployment_id, EnvironmentRecord())
        elif record.state in (EnvironmentState.MADE, EnvironmentState.RETIRED):
            return Provisioned(name=order.source, hosts=record.hosts)
        elif record.state is not EnvironmentState.MAKING:
            raise CannotProvision(record.message or f"The green hosts of {order.source} were given up.")
        self._errands.start(
            order.deployment_id,
            lambda lease: self._make(order, lease),
            wanted=lambda: self._state(order) is EnvironmentState.MAKING,
        )
        return None

    def _make(self, order: GreenOrder, lease: Lease) -> None:
        if self._state(order) is not EnvironmentState.MAKING:
            return
        blue = self._registry.members(order.source)
        count = len(blue) or self._programs.first_count
        output = run_program(self._programs.provision, asked(order, count=count, blue=blue), stop=lease.stop)
        if lease.lost or (output.problem and lease.stop.is_set()):
            return
        known, problem = known_hosts(output.stdout), output.problem
        try:
            made = () if problem else self._registered(order, read_hosts(output.stdout, most=count))
        except BadAnswer as error:
            problem = str(error)
        if problem:
            self._give_up(order, lease, known, f"the program that makes its hosts {problem}")
        else:
            self._become(order, EnvironmentState.MADE, hosts=made)

    def _registered(self, order: GreenOrder, hosts: Collection[MadeHost]) -> tuple[Instance, ...]:
        try:
            return tuple(self._registry.register(host, _green(order)) for host in hosts)
        except Taken as taken:
            raise BadAnswer(f"printed the id {taken}, which another registered host has") from None

    def _give_up(self, order: GreenOrder, lease: Lease, hosts: Collection[MadeHost], problem: str) -> None:
        """Remove what was made and keep what went wrong. A host of another's is no business of the program's."""
        known = [host for host in hosts if not self._registry.is_taken(host.id, _green(order))]
        given = dismissed(order, known, abandoned=True)
        left = run_program(self._programs.retire, given, stop=lease.stop).problem
        if lease.stop.is_set():
            return
        self._forget_green(order)
        message = f"The environment {order.source} cannot be made: {problem}."
        if left:
            message += f" What was made may be there still, for the program that removes it {left}."
        self._become(order, EnvironmentState.FAILED, message=message)

    def retire(self, retirement: Retirement) -> bool:
        """Let green take blue's place and, if asked, have blue removed. Raises CannotBegin where the program fails."""
        order = retirement.order
        record = self._records.get(order.deployment_id)
        if record is None:
            self._records.add(order.deployment_id, EnvironmentRecord(state=EnvironmentState.MADE))
        elif record.state is EnvironmentState.RETIRED:
            if record.message:
                raise CannotBegin(record.message)
            return True
        elif record.state is not EnvironmentState.MADE:
            raise CannotBegin(f"The green hosts of {order.source} were not made, so blue stays.")
        self._errands.start(order.deployment_id, lambda lease: self._retire(retirement, lease), wanted=lambda: True)
        return False

    def _retire(self, retirement: Retirement, lease: Lease) -> None:
        order = retirement.order
        if self._state(order) is not EnvironmentState.MADE:
            return
        for host in self._registry.members(_green(order)):
            self._registry.put(host.instance_id, (order.source,))
        record = self._records.get(order.deployment_id) or EnvironmentRecord()
        going = {host.target_id for host in retirement.hosts} - {host.instance_id for host in record.hosts}
        blue = [host for host in self._registry.members(order.source) if host.instance_id in going]
        complaints = self._removed(order, blue, lease) if retirement.terminate else ""
        if lease.lost:
            return
        for host in blue:
            if retirement.terminate and not complaints:
                self._registry.deregister(host.instance_id)
            else:
                self._registry.put(host.instance_id, ())
        others = sorted(going - {host.instance_id for host in blue} - self._gone(going))
        if others and retirement.terminate:
            complaints += f"{named(others)}: no hosts of the environment {order.source}; end them yourself."
        self._become(order, EnvironmentState.RETIRED, message=complaints)

    def _removed(self, order: GreenOrder, blue: list[Instance], lease: Lease) -> str:
        """Have blue removed; what went wrong, if anything."""
        if not blue:
            return ""
        problem = run_program(self._programs.retire, dismissed(order, blue), stop=lease.stop).problem
        names = named([host.instance_id for host in blue])
        return f"The program that removes hosts of {order.source} {problem}. See to {names}. " if problem else ""

    def _gone(self, names: Collection[str]) -> set[str]:
        """Those of the names that are registered no more."""
        asked_for = sorted(names)
        found = self._registry.instances.many(asked_for)
        return {name for name, host in zip(asked_for, found, strict=True) if host and host.deregister_time}

    def abandon(self, order: GreenOrder) -> bool:
        """Have removed whatever was made for the order. True once done, or if green has blue's place already."""
        given_up = EnvironmentRecord(state=EnvironmentState.ABANDONED)
        if self._records.add(order.deployment_id, given_up) or self._state(order) in _OVER:
            return True
        self._become(order, EnvironmentState.ABANDONING)
        self._errands.start(order.deployment_id, lambda lease: self._abandon(order, lease), wanted=lambda: True)
        return False

    def _abandon(self, order: GreenOrder, lease: Lease) -> None:
        if self._state(order) is not EnvironmentState.ABANDONING:
            return
        given = dismissed(order, self._registry.members(_green(order)), abandoned=True)
        problem = run_program(self._programs.retire, given, stop=lease.stop).problem
        if lease.lost:
            return
        if problem:
            logger.error("hosts that were made for %s may be there still: %s", order.deployment_id, problem)
        self._forget_green(order)
        self._become(order, EnvironmentState.ABANDONED)

    def _forget_green(self, order: GreenOrder) -> None:
        for host in self._registry.members(_green(order)):
            self._registry.deregister(host.instance_id)

    def _state(self, order: GreenOrder) -> EnvironmentState | None:
        record = self._records.get(order.deployment_id)
        return record.state if record else None

    def _become(self, order: GreenOrder, state: EnvironmentState, **known: object) -> None:
        """Note how far it has come. What is over stays so, and what is being given up is only given up."""

        def edit(record: EnvironmentRecord) -> EnvironmentRecord:
            if record.state in _OVER or (record.state in _FORSAKEN and state not in _FORSAKEN):
                return record
            return record.model_copy(update={"state": state, **known})

        self._records.change(order.deployment_id, edit)


def _green(order: GreenOrder) -> str:
    return f"{order.source}/{order.deployment_id}"
