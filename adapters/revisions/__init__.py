"""Where bundles come from, a module for each way; `workers/host.py` chooses, and loads none that is not used."""

from __future__ import annotations
