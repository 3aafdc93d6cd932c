"""Decisions: values in, values out. Knows no clock, no I/O, no randomness and no client library."""

from __future__ import annotations
