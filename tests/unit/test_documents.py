"""What the documents point at is there: files, make's targets, commands and variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import COMMANDS
from config.settings import variables
from config.sources import OTHER_VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def commands_in(text: str) -> Iterator[str]:
    """The command in `slipway COMMAND …`, in code between backticks or at the start of a line of a block."""
    yield from re.findall(r"(?:`|^|\$ |bin/|run --rm )slipway ([a-z][a-z-]+)", text, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text_of(document))
    assert not [link for link in links if not (ROOT / document).parent.joinpath(link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_named_in_code_are_there(document: str) -> None:
    folders = "|".join(p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith("."))
    named = re.findall(rf"`((?:{folders})/[\w./-]+\.(?:py|md|yml|env|lua|sh))`", text_of(document))
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_targets_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(commands_in(text_of(document))) <= COMMANDS.keys()
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text_of(document), re.MULTILINE)) <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_variables_exist(document: str) -> None:
    named = set(re.findall(r"\bSLIPWAY_[A-Z_]*[A-Z]\b", text_of(document)))
    assert named <= {*variables(), *OTHER_VARIABLES}


def test_the_searches_find_what_they_look_for() -> None:
    assert {"up", "deploy", "agent", "doctor"} <= set(commands_in(text_of("README.md")))
    assert set(commands_in("`slipway nonsense`\nslipway other-nonsense --now")) == {"nonsense", "other-nonsense"}
