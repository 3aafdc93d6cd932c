"""The reference page keeps its word: its examples are accepted and its table of modes holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workflows.appspec import KEYS, read_appspec
from workflows.appspec_findings import MAX_PROBLEMS
from workflows.appspec_hooks import KEYS as SCRIPT_KEYS
from workflows.appspec_permissions import KEYS as PERMISSION_KEYS
from workflows.appspec_yaml import MAX_BYTES, MAX_DEPTH, MAX_VALUES

HEAD = "version: 0.0\nos: linux\n"
PAGE = (Path(__file__).parents[3] / "docs" / "appspec.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
MODES = re.findall(
    r"^\| (`.*`) \| (\d{4}|rejected).* \|$", PAGE.partition("### `mode`")[2].partition("### `acls`")[0], re.M
)


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_are_accepted_without_a_warning(block: str) -> None:
    reading = read_appspec(block if block.startswith("version") else HEAD + block)
    assert reading.accepted
    assert reading.problems == ()


@pytest.mark.parametrize(
    ("written", "meaning"), [(w, meaning) for cell, meaning in MODES for w in re.findall(r"`([^`]+)`", cell)]
)
def test_the_table_of_modes(written: str, meaning: str) -> None:
    spec = read_appspec(f"{HEAD}permissions:\n  - object: /a\n    mode: {written}\n").spec
    assert (f"{spec.permissions[0].mode:04o}" if spec else "rejected") == meaning


def test_every_key_is_described() -> None:
    assert len(MODES) >= 8
    for key in (*KEYS, *PERMISSION_KEYS, *SCRIPT_KEYS):
        assert re.search(rf"^\| .*`{key}`", PAGE, re.M), key


def test_limits_are_as_stated() -> None:
    assert MAX_BYTES == 1024 * 1024
    assert f"1 MiB, {MAX_DEPTH} levels of nesting, {MAX_VALUES:,} values" in PAGE
    assert f"the first {MAX_PROBLEMS} problems" in PAGE
