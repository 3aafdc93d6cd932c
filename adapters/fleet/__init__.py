"""Where targets come from."""

from __future__ import annotations
