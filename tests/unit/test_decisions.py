"""The records of decisions: numbered without gaps, and a reason for every dependency."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "docs" / "decisions"


def test_records_are_numbered_without_gaps() -> None:
    records = sorted(path.name for path in RECORDS.glob("*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    assert not [name for name in records if not (RECORDS / name).read_text().startswith(f"# {int(name[:4])}. ")]


def test_every_dependency_has_its_reason_and_nothing_else_has_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[\[<>=,]", each)[0].lower() for each in project["project"]["dependencies"]}
    table = (RECORDS / "0011-dependencies.md").read_text().lower()
    rows = {name for row in re.findall(r"^\| ([a-z][^|]*) \|", table, re.MULTILINE) for name in row.split(", ")}
    assert rows - {"package"} == wanted
