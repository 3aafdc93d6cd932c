"""The revision that benchmarks install: so many files and bytes, and five hooks that do nothing."""

from __future__ import annotations

import random
from pathlib import Path

HOOKS = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")


def make_revision(folder: Path, *, files: int, size: int, seed: int) -> Path:
    """A directory with an AppSpec: `files` files of `size` bytes in all, other bytes for another seed."""
    dice = random.Random(seed)  # noqa: S311  (the same bytes every time)
    for number in range(files):
        path = folder / "files" / f"part-{number % 20:02}" / f"file-{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(size // files))
    (folder / "hooks").mkdir()
    lines = ["version: 0.0", "os: linux", "files:", "  - source: files", "    destination: /srv/bench", "hooks:"]
    for hook in HOOKS:
        script = folder / "hooks" / f"{hook}.sh"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o755)
        lines += [f"  {hook}:", f"    - location: hooks/{hook}.sh"]
    (folder / "appspec.yml").write_text("\n".join(lines) + "\n")
    return folder
