"""The slipway command."""

from __future__ import annotations
