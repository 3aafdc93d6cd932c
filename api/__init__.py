"""The CodeDeploy API on the wire, and the bundle store."""

from __future__ import annotations
