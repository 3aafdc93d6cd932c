"""The words: frozen values that every other folder speaks in. Knows no clock, no I/O and no client library."""

from __future__ import annotations
