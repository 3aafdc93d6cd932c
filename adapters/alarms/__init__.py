"""Alarms that need no cloud, by the word that the settings use for each kind. CloudWatch's need no setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.alarms.http import HttpAlarm
from adapters.alarms.prometheus import PrometheusAlarm
from domain.ports import AlarmSource

ALARMS: Mapping[str, Callable[..., AlarmSource]] = {
    "prometheus": PrometheusAlarm,
    "http": HttpAlarm,
}
