"""What an agent does on its own machine: unpack, copy, run scripts, keep records."""

from __future__ import annotations
