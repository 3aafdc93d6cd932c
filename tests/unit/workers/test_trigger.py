"""The trigger's loop against a queue in memory: answered, refused, buried, tried again, and ended in good order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from domain.deployments import CreateDeployment, Deployment, StopDeployment
from domain.errors import DeploymentAlreadyCompleted, DeploymentGroupDoesNotExist, DeploymentLimitExceeded, WorldError
from domain.triggers import Incoming
from tests.unit.workflows.engine_values import a_deployment
from workers.trigger import Halt, run_trigger

NOW = 1_000.0
REQUEST = {"applicationName": "shop", "deploymentGroupName": "web"}
BODY = json.dumps(REQUEST).encode()
Create = Callable[[CreateDeployment], str]


class Queue:
    """A queue that ends the loop once it is empty. `failures` name methods that find the broker away, in this order."""

    def __init__(self, *messages: Incoming, failures: tuple[str, ...] = (), takes_answers: bool = True) -> None:
        self.stop = threading.Event()
        self.waiting, self.failures, self.takes_answers = list(messages), list(failures), takes_answers
        self.in_hand: Incoming | None = None
        self.settled: list[Incoming] = []
        self.letters: list[dict[str, Any]] = []
        self.answers: list[tuple[str | None, dict[str, Any]]] = []
        self.kept = 0

    def receive(self, timeout: float) -> Incoming | None:  # noqa: ARG002
        assert self.in_hand is None
        self._fail("receive")
        if not self.waiting:
            self.stop.set()
            return None
        self.in_hand = self.waiting.pop(0)
        return self.in_hand

    def keep(self, incoming: Incoming) -> None:  # noqa: ARG002
        self._fail("keep")
        self.kept += 1

    def settle(self, incoming: Incoming) -> None:
        assert incoming is self.in_hand
        self._fail("settle")
        self.settled.append(incoming)
        self.in_hand = None

    def bury(self, incoming: Incoming, letter: dict[str, Any]) -> None:
        self._fail("bury")
        self.letters.append(letter)
        self.settle(incoming)

    def reply(self, incoming: Incoming, answer: dict[str, Any]) -> bool:
        self._fail("reply")
        if self.takes_answers:
            self.answers.append((incoming.reply_to, answer))
        return self.takes_answers

    def close(self) -> None:
        raise AssertionError("whoever opened it closes it")

    def _fail(self, method: str) -> None:
        if self.failures[:1] == [method]:
            self.failures.pop(0)
            if self.in_hand is not None:
                old = self.in_hand
                again = Incoming(old.body, old.receipt, old.message_id, old.reply_to, redelivered=True)
                self.waiting.insert(0, again)
                self.in_hand = None
            raise WorldError("the broker is away")

    def run(self, create: Create, halt: Halt | None = None) -> None:
        stops = halt or (lambda request: pytest.fail(f"nothing is to be stopped: {request}"))
        run_trigger(self, create, stops, stop=self.stop, tick=0.001, retry_wait=0.002, now=lambda: NOW)


def message(body: bytes = BODY, **about: Any) -> Incoming:
    return Incoming(body=body, receipt=None, **about)


class Engine:
    """Makes deployments as the store does: the same token, the same deployment. `outcomes` are raised first; an error
    after `made` is raised when the deployment exists already."""

    def __init__(self, *outcomes: Exception, after: bool = False) -> None:
        self.outcomes, self.after = list(outcomes), after
        self.made: dict[str | None, str] = {}

    def __call__(self, request: CreateDeployment) -> str:
        token = request.client_request_token
        assert token
        if self.after:
            self.made.setdefault(token, f"d-{len(self.made)}")
        if self.outcomes:
            raise self.outcomes.pop(0)
        return self.made.setdefault(token, f"d-{len(self.made)}")


def test_a_request_is_carried_out_and_answered() -> None:
    queue = Queue(message(reply_to="answers"), message())
    queue.run(Engine())
    assert queue.answers == [("answers", {"deploymentId": "d-0"})]
    assert (len(queue.settled), queue.letters) == (2, [])


STOP = b'{"operation": "StopDeployment", "deploymentId": "d-1", "autoRollbackEnabled": true, "now": true}'


@pytest.mark.parametrize(("status", "state"), [("InProgress", "Pending"), ("Stopped", "Succeeded")])
def test_a_message_may_stop_a_deployment(status: str, state: str) -> None:
    asked: list[StopDeployment] = []

    def halt(request: StopDeployment) -> Deployment:
        asked.append(request)
        return a_deployment(deployment_id="d-1", status=status)

    queue = Queue(message(STOP, reply_to="answers"))
    queue.run(Engine(), halt)
    assert asked == [StopDeployment(deployment_id="d-1", auto_rollback_enabled=True, now=True)]
    assert queue.answers == [("answers", {"deploymentId": "d-1", "status": state})]
    assert (len(queue.settled), queue.letters) == (1, [])


def test_a_stop_of_what_has_ended_is_refused_in_the_words_of_the_api() -> None:
    def halt(_: StopDeployment) -> Deployment:
        raise DeploymentAlreadyCompleted("it has ended")

    queue = Queue(message(STOP, reply_to="answers"))
    queue.run(Engine(), halt)
    error = {"code": "DeploymentAlreadyCompletedException", "message": "it has ended"}
    assert queue.answers == [("answers", {"error": error})]


@pytest.mark.parametrize("body", [b'{"operation": "DeleteEverything"}', b'{"operation": "StopDeployment"}'])
def test_what_no_operation_fits_goes_to_the_dead_letters(body: bytes) -> None:
    queue = Queue(message(body))
    queue.run(Engine())
    assert len(queue.letters) == 1


def test_two_equal_messages_are_two_requests_and_one_message_id_is_one() -> None:
    engine = Engine()
    Queue(message(), message(), message(message_id="m"), message(message_id="m")).run(engine)
    assert len(engine.made) == 3


def test_a_refusal_is_the_answer() -> None:
    queue = Queue(message(reply_to="answers"))
    queue.run(Engine(DeploymentLimitExceeded("busy", running="d-9")))
    error = {"code": "DeploymentLimitExceededException", "message": "busy", "runningDeploymentId": "d-9"}
    assert queue.answers == [("answers", {"error": error})]
    assert queue.letters == []


@pytest.mark.parametrize(("reply_to", "takes_answers"), [(None, True), ("slipway.trigger", True), ("answers", False)])
def test_a_refusal_that_reaches_nobody_is_kept(reply_to: str | None, takes_answers: bool) -> None:
    queue = Queue(message(reply_to=reply_to, message_id="m"), takes_answers=takes_answers)
    queue.run(Engine(DeploymentGroupDoesNotExist("no group web")))
    letter = {
        "reason": "DeploymentGroupDoesNotExistException: no group web",
        "at": NOW,
        "messageId": "m",
        "body": BODY.decode(),
    }
    assert queue.letters == [letter]
    assert queue.answers == []


def test_what_cannot_be_read_is_answered_and_kept_and_the_next_is_served() -> None:
    queue, engine = Queue(message(b"\xff", reply_to="answers"), message()), Engine()
    queue.run(engine)
    assert queue.answers[0][1]["error"]["code"] == "InvalidInputException"
    assert "not UTF-8" in queue.letters[0]["reason"]
    assert len(engine.made) == 1


def test_a_bug_costs_one_message(caplog: pytest.LogCaptureFixture) -> None:
    queue, engine = Queue(message(), message()), Engine(ZeroDivisionError())
    queue.run(engine)
    assert [letter["reason"].partition(";")[0] for letter in queue.letters] == ["internal error"]
    assert len(engine.made) == 1
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("message_id", ["m", None])
@pytest.mark.parametrize("after", [False, True], ids=["before it was made", "after it was made"])
def test_a_store_that_is_away_is_waited_for_with_the_message_in_hand(message_id: str | None, after: bool) -> None:
    queue = Queue(message(message_id=message_id))
    engine = Engine(*[WorldError("the store is away")] * 4, after=after)
    queue.run(engine)
    assert len(engine.made) == 1
    assert len(queue.settled) == 1
    assert queue.kept >= 4


@pytest.mark.parametrize("message_id", ["m", None])
@pytest.mark.parametrize("failures", [("receive", "receive"), ("reply",), ("settle", "receive"), ("reply", "settle")])
def test_a_broker_that_is_away_gives_the_message_again_and_one_deployment_is_made(
    message_id: str | None, failures: tuple[str, ...]
) -> None:
    queue, engine = Queue(message(message_id=message_id, reply_to="answers"), failures=failures), Engine()
    queue.run(engine)
    assert len(engine.made) == 1
    assert len(queue.settled) == 1
    assert queue.answers[-1] == ("answers", {"deploymentId": "d-0"})


def test_a_message_lost_while_it_waits_comes_again() -> None:
    queue, engine = Queue(message(), failures=("keep",)), Engine(WorldError("the store is away"))
    queue.run(engine)
    assert len(engine.made) == 1
    assert len(queue.settled) == 1


def test_a_message_is_buried_once_the_broker_is_back() -> None:
    queue = Queue(message(b"words"), failures=("bury",))
    queue.run(Engine())
    assert len(queue.letters) == 1


def test_it_ends_after_the_present_message() -> None:
    queue = Queue(message(), message())

    def create(request: CreateDeployment) -> str:
        queue.stop.set()
        return "d-1"

    queue.run(create)
    assert len(queue.settled) == 1
    assert len(queue.waiting) == 1


def test_it_ends_while_the_store_is_away_and_leaves_the_message() -> None:
    queue = Queue(message())

    def create(request: CreateDeployment) -> str:
        queue.stop.set()
        raise WorldError("the store is away")

    queue.run(create)
    assert queue.in_hand is not None
    assert (queue.settled, queue.letters) == ([], [])


def test_a_strangers_words_do_not_forge_lines_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue(message(b"[]", message_id="m\nERROR all is lost", reply_to="x\ny"))
    queue.run(Engine())
    assert queue.letters
    assert not [record for record in caplog.records if "\n" in record.getMessage()]
