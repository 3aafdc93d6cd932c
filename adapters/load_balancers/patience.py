"""A balancer that takes long to say nothing is not asked for every host: workers that wait for it would have no time
left for hosts at other balancers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from adapters.load_balancers.choosing import Checked
from domain.errors import WorldError
from domain.fleet import Target
from domain.traffic import Standing

SLOW = 1.0
"""Seconds from which an answer that does not come counts."""
FAILURES = 3
"""In a row, of different hosts: one host's trouble must not keep the others waiting."""
REST = 5.0
"""Seconds for which nobody asks; then one does, for all."""


class PatientBalancer:
    """The balancer, asked by one at a time while it is away; the others are told at once what the last one met."""

    def __init__(self, balancer: Checked, *, now: Callable[[], float] = time.monotonic) -> None:
        self._balancer, self._now = balancer, now
        self._lock = threading.Lock()
        self._failed: set[str] = set()
        self._rest_until = 0.0
        self._asking = False
        self._why = ""

    def check(self) -> None:
        """Look whether it is there."""
        self._balancer.check()

    def block(self, target: Target, *, waited: float) -> Standing:
        """One step out of traffic."""
        with self._patiently(target):
            return self._balancer.block(target, waited=waited)

    def allow(self, target: Target, *, waited: float) -> Standing:
        """One step into traffic."""
        with self._patiently(target):
            return self._balancer.allow(target, waited=waited)

    @contextmanager
    def _patiently(self, target: Target) -> Iterator[None]:
        self._enter()
        began = self._now()
        try:
            yield
        except WorldError as error:
            self._leave(target, error.message if self._now() - began >= SLOW else None)
            raise
        except BaseException:
            self._leave(target, None)
            raise
        self._leave(None, None)

    def _enter(self) -> None:
        with self._lock:
            if len(self._failed) < FAILURES:
                return
            if self._asking or self._now() < self._rest_until:
                raise WorldError(self._why)
            self._asking = True

    def _leave(self, target: Target | None, why: str | None) -> None:
        """`target` of a call that failed; `why` if it took long."""
        with self._lock:
            self._asking = False
            if target is None:
                self._failed.clear()
            elif why is not None:
                self._failed.add(target.target_id)
                self._rest_until, self._why = self._now() + REST, why
