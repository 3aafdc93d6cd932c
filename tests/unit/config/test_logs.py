"""What the processes log: one line each, in UTC, with no login in it."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator

import pytest

from config.logs import JsonFormatter, MaskingFormatter, log_config, start_logging
from domain.work import working_on


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root, httpx = logging.getLogger(), logging.getLogger("httpx")
    before = (root.handlers[:], root.level, httpx.level)
    yield
    root.handlers[:], root.level = before[:2]
    httpx.setLevel(before[2])


def formatted(message: str, *arguments: object, error: BaseException | None = None) -> str:
    form = str(log_config("INFO")["formatters"]["masking"]["format"])
    trouble = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("slipway.x", logging.WARNING, __file__, 1, message, arguments, trouble)
    record.created, record.msecs = 0.0, 250.0
    return MaskingFormatter(form).format(record)


def test_a_line_says_when_in_utc_how_bad_and_who() -> None:
    assert formatted("%s is away", "web-1") == "1970-01-01T00:00:00.250Z WARNING slipway.x: web-1 is away"


def test_no_password_reaches_a_line_or_a_traceback() -> None:
    try:
        raise ConnectionError("redis://:hunter2@host:6379/0 does not answer")
    except ConnectionError as error:
        shown = formatted("no broker at %s", "amqp://guest:hunter2@host:5672//", error=error)
    assert "hunter2" not in shown
    assert "amqp://***@host:5672//" in shown
    assert "redis://***@host:6379/0 does not answer" in shown


@pytest.mark.usefixtures("logging_as_before")
def test_logging_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("WARNING")
    logging.getLogger("slipway.y").warning("look")
    logging.getLogger("slipway.y").info("do not look")
    logging.getLogger("httpx").info("GET http://127.0.0.1/bundles/x?signature=hunter2")
    shown = capsys.readouterr()
    assert re.fullmatch(r"\S+Z WARNING slipway.y: look\n", shown.err)
    assert shown.out == ""


def test_json_logs_are_one_object_a_line_with_addresses_masked() -> None:
    record = logging.LogRecord("slipway.x", logging.ERROR, "x.py", 1, "redis://:secret@host/0 is\nlost", None, None)
    line = JsonFormatter().format(record)
    content = json.loads(line)
    assert "\n" not in line
    assert "secret" not in line
    assert (content["level"], content["logger"]) == ("ERROR", "slipway.x")


def line_of(message: str, **about: str) -> dict[str, str]:
    record = logging.LogRecord("celery.x", logging.INFO, "x.py", 1, message, None, None)
    content: dict[str, str] = json.loads(JsonFormatter(about).format(record))
    return content


def test_a_record_names_what_its_thread_works_on() -> None:
    with working_on(deployment_id="d-1", application="shop"):
        with working_on(target_id="web-1", event="Install", application=None):
            inner = line_of("inside", process="agent", host="web-1")
        outer = line_of("outside")
    after = line_of("after")
    assert inner.items() >= {
        ("deployment_id", "d-1"),
        ("application", "shop"),
        ("target_id", "web-1"),
        ("event", "Install"),
        ("process", "agent"),
        ("host", "web-1"),
    }
    assert "event" not in outer
    assert outer["deployment_id"] == "d-1"
    assert set(after) == {"time", "level", "logger", "message"}


def test_threads_work_on_things_of_their_own() -> None:
    with working_on(deployment_id="d-1"):
        seen: list[dict[str, str]] = []
        thread = threading.Thread(target=lambda: seen.append(line_of("elsewhere")))
        thread.start()
        thread.join()
    assert "deployment_id" not in seen[0]


def test_no_secret_reaches_a_field() -> None:
    with working_on(application="redis://:hunter2@host/0"):
        assert "hunter2" not in json.dumps(line_of("x"))
