"""The processes and the one composition root."""

from __future__ import annotations
