"""Revisions of the sample application in `examples/balanced`, and the hosts that they are deployed to."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "balanced"


def write_version(folder: Path, version: str, **behavior: object) -> Path:
    """A revision of the sample that answers with this version, in a folder of that name; `behavior` are members of its
    release.json: `healthy=False` is a version that no balancer should trust, `broken=True` one that ValidateService
    finds out."""
    made = folder / version
    shutil.copytree(SAMPLE, made, ignore=shutil.ignore_patterns("__pycache__"))
    release = made / "release.json"
    members = {**json.loads(release.read_text()), "version": version, **behavior}
    release.write_text(json.dumps(members, indent=2))
    return made


def place_host(root: Path, name: str, port: int) -> None:
    """Tell a simulated host its name and the port that the balancer knows it by."""
    file = root / "etc" / "webapp.env"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"PORT={port}\nHOST_NAME={name}\n")


def end_samples(roots: Iterable[Path]) -> None:
    """End the sample applications that run on these simulated hosts."""
    for root in roots:
        _end(root / "srv" / "webapp" / "pid")


def _end(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text())
        # The number may have gone to another process by now: only a server that runs from this folder is ended.
        if str(pid_file.parent) in Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"):
            os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return
