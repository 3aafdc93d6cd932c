"""What the broker's client library lacks."""

from __future__ import annotations
