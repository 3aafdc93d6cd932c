"""Logs of the long-running processes: one line per record on standard error, times in UTC, no login in any address."""

from __future__ import annotations

import json
import logging
import logging.config
import time
from collections.abc import Mapping
from typing import Any

from config.urls import masked_text
from domain.work import work_in_hand


class MaskingFormatter(logging.Formatter):
    """Masks addresses in whatever is logged, tracebacks included, since libraries log the addresses they were given."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, or more with a traceback."""
        return masked_text(super().format(record))


class JsonFormatter(MaskingFormatter):
    """One JSON object a record, for collectors: time, level, logger, message, with an error its traceback, what the
    process is (`about`), and what the thread works on: deployment_id, target_id, event, application …"""

    def __init__(self, about: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._about = dict(about or {})

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": masked_text(record.getMessage()),
            **self._about,
            **{name: masked_text(value) for name, value in work_in_hand().items()},
        }
        if record.exc_info:
            line["traceback"] = masked_text(self.formatException(record.exc_info))
        return json.dumps(line)


def log_config(level: str, *, as_json: bool = False, about: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The configuration for `logging.config.dictConfig`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "masking": {"()": MaskingFormatter, "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "json": {"()": JsonFormatter, "about": dict(about or {})},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json" if as_json else "masking"}},
        "root": {"level": level, "handlers": ["stderr"]},
        # One line per request to a server says nothing about a deployment, and its links are signed.
        "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}},
    }


def start_logging(level: str, *, as_json: bool = False, about: Mapping[str, str] | None = None) -> None:
    """Log to standard error from here on; Celery's workers keep to it too. Every JSON record has what `about` says."""
    logging.config.dictConfig(log_config(level, as_json=as_json, about=about))
