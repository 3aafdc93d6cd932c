"""The lock: it holds what pyproject.toml asks for, exact and with hashes, and names no index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
ENTRY = re.compile(r"^([a-z0-9.-]+)(?:\[[\w,-]+\])?==(\S+?)(?: ; (.+?))?(?: \\)?$", re.MULTILINE)
BELOW = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?|    #[\w (),.:-]*")
LOCKED = {canonicalize_name(found[1]): found for found in ENTRY.finditer(LOCK)}
WANTED = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["dependency-groups"]["dev"],
    *PROJECT["build-system"]["requires"],
]


@pytest.mark.parametrize("wanted", WANTED)
def test_what_is_asked_for_is_locked_within_its_range(wanted: str) -> None:
    requirement = Requirement(wanted)
    locked = LOCKED[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(locked[2])


@pytest.mark.parametrize("wanted", PROJECT["project"]["dependencies"])
def test_what_users_need_has_a_range(wanted: str) -> None:
    operators = {specifier.operator for specifier in Requirement(wanted).specifier}
    assert operators == {">=", "<"}


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_both_pythons_get_every_direct_dependency(python: str) -> None:
    for wanted in WANTED:
        marker = LOCKED[canonicalize_name(Requirement(wanted).name)][3]
        assert marker is None or Marker(marker).evaluate(
            {"python_version": python, "python_full_version": f"{python}.0"}
        )


def test_every_entry_has_hashes() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(LOCKED) > 40
    assert not [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]


def test_no_index_and_no_address_is_named() -> None:
    """Every line is an exact version with its marker, a hash, or a comment of names; an address would need a slash."""
    assert [line for line in LOCK.splitlines() if "/" in line or not (ENTRY.match(line) or BELOW.fullmatch(line))] == []
    assert not (ROOT / "uv.lock").exists()


def test_the_wheel_is_private_and_holds_every_folder_of_ours() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]
    assert PROJECT["project"]["scripts"] == {"slipway": "cli.main:main"}
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks", "tests"}
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == ours
