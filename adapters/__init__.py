"""The world, one file per vendor; a plain dict per folder lists them."""

from __future__ import annotations
