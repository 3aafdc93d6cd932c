"""Celery tasks and what they do: load, decide, store, dispatch, announce. Sees ports, never vendors."""

from __future__ import annotations
