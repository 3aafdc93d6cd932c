"""Who makes and retires the hosts of blue/green deployments, one file per vendor."""

from __future__ import annotations
