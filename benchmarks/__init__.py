"""What Slipway costs, as ratios against a stated yardstick measured in the same run."""

from __future__ import annotations
