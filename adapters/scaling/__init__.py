"""Auto Scaling: what is asked of it, and the queue on which it tells of instances that it holds."""

from __future__ import annotations
