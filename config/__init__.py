"""Settings, queues and logs: the only reader of the environment."""

from __future__ import annotations
