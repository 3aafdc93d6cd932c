"""An alarm that is a GET of a URL: active while that is not answered as it should be. The looks in a row that make it
active are counted by the deployment, for two looks may come from two processes."""

from __future__ import annotations

from adapters.alarms.login import authorization
from adapters.exchange import Answer, CaFileUnusable, exchange
from domain.alarms import AlarmReading, AlarmState
from domain.errors import WorldError

MOST_BYTES = 1024 * 1024


class HttpAlarm:
    """Well is an answer with the status and, if one is given, with the text in its body."""

    kind = "http"

    def __init__(
        self,
        *,
        url: str,
        status: int = 200,
        text: str = "",
        failures: int = 3,
        seconds: float = 5.0,
        username: str = "",
        password: str = "",
        token: str = "",
        ca_file: str | None = None,
    ) -> None:
        self._url, self._status, self._text, self._failures = url, status, text, failures
        self._seconds, self._ca_file = seconds, ca_file
        self._headers = {
            "User-Agent": "slipway",
            **authorization(username=username, password=password, token=token),
        }

    def read(self) -> AlarmReading:
        """What does not answer is not well. Raises CaFileUnusable: that says nothing of what is checked."""
        wrong = self._wrong()
        state = AlarmState.ALARM if wrong else AlarmState.OK
        return AlarmReading(kind=self.kind, state=state, detail=wrong, in_a_row=self._failures)

    def _wrong(self) -> str:
        try:
            answer = self._get()
        except CaFileUnusable:
            raise
        except WorldError as error:
            return error.message
        if answer.status != self._status:
            return f"it answers with the status {answer.status}, not {self._status}"
        return "" if self._text.encode() in answer.body else "its answer lacks the text that it should hold"

    def _get(self) -> Answer:
        return exchange(
            "GET",
            self._url,
            headers=self._headers,
            seconds=self._seconds,
            most=MOST_BYTES if self._text else None,
            ca_file=self._ca_file,
        )
