"""Names for bundles on disk: which object something that was pulled in is, such as a commit of a repository."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path


class BundleNames:
    """A directory of names. Any number of processes may use it at once; a name that was kept stays as it is."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "names"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, name: str, sha256: str) -> None:
        """Remember which object the name stands for; it is there whole or not at all."""
        handle, fresh = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"name": name, "sha256": sha256}, file)
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).replace(self._place(name))

    def find(self, name: str) -> str | None:
        """The SHA-256 of the object, or None."""
        try:
            return str(json.loads(self._place(name).read_text(encoding="utf-8"))["sha256"])
        except (FileNotFoundError, ValueError, LookupError):
            return None

    def _place(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"
