"""The Celery app that `celery -A workers.flower_app flower` looks at."""

from __future__ import annotations

from config.settings import load_settings
from workers.app import make_app

app = make_app(load_settings(), "client")
