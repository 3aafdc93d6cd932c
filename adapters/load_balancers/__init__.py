"""Load balancers in front of hosts."""

from __future__ import annotations
