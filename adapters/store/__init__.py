"""Where deployments are kept: Redis, and the in-memory double that passes the same contract."""

from __future__ import annotations
