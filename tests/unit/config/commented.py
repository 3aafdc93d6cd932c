"""What the example of the settings shows in comments, as one that was uncommented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).resolve().parents[3] / "config" / "examples" / "slipway.yml"


def example_of(setting: str) -> dict[str, dict[str, Any]]:
    """The entries of a mapping that is empty by default."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    block = lines[lines.index(f"# {setting}:") : lines.index(f"{setting}: {{}}")]
    found: dict[str, dict[str, Any]] = yaml.safe_load("\n".join(line.removeprefix("# ") for line in block))[setting]
    return found
