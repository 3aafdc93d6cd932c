"""Where bundles come from."""

from __future__ import annotations
