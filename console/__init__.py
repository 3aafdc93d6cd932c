"""What a person sees in a terminal: grids, progress and log tails, drawn from values."""

from __future__ import annotations
