"""Where an agent keeps what it knows: the folders and pointer files below its state directory.

Source: aws-codedeploy-agent, command_executor.rb and deployment_command_tracker.rb, for the layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from domain.errors import HostError

_SAFE = re.compile(r"[A-Za-z0-9+=,.@_-]{1,128}")


def safe_name(text: str) -> str:
    """The text, if it can be the name of one file or folder and nothing else; raises HostError."""
    if not _SAFE.fullmatch(text) or text in {".", ".."}:
        raise HostError(f"{text!r} is not a safe name for a folder: use 1 to 128 of A-Z a-z 0-9 + = , . @ _ -")
    return text


@dataclass(frozen=True, slots=True)
class Layout:
    """The state directory of one agent."""

    state: Path

    def group(self, group_id: str) -> Path:
        """The deployments of one group on this host."""
        return self.state / "deployments" / safe_name(group_id)

    def deployment(self, group_id: str, deployment_id: str) -> Path:
        """One deployment: its bundle, `deployment-archive` and `logs`."""
        return self.group(group_id) / safe_name(deployment_id)

    def archive(self, group_id: str, deployment_id: str) -> Path:
        """The unpacked revision of a deployment."""
        return self.deployment(group_id, deployment_id) / "deployment-archive"

    def script_log(self, group_id: str, deployment_id: str) -> Path:
        """What the scripts of a deployment wrote."""
        return self.deployment(group_id, deployment_id) / "logs" / "scripts.log"

    def instructions(self, group_id: str) -> Path:
        """What Install records of a group: the plan, the cleanup list, what it put aside."""
        return self.state / "deployment-instructions" / safe_name(group_id)

    def attempts(self) -> Path:
        """The journals of attempts."""
        return self.state / "attempts"

    def last_successful(self, group_id: str) -> str | None:
        """The deployment that last succeeded on this host for the group."""
        return self._read(group_id, "last-successful")

    def most_recent(self, group_id: str) -> str | None:
        """The deployment whose bundle was fetched last for the group."""
        return self._read(group_id, "most-recent")

    def mark_last_successful(self, group_id: str, deployment_id: str) -> None:
        """Remember that the deployment succeeded on this host."""
        self._write(group_id, "last-successful", deployment_id)

    def mark_most_recent(self, group_id: str, deployment_id: str) -> None:
        """Remember that the deployment's bundle is here."""
        self._write(group_id, "most-recent", deployment_id)

    def _read(self, group_id: str, pointer: str) -> str | None:
        try:
            return safe_name((self.instructions(group_id) / pointer).read_text().strip())
        except FileNotFoundError:
            return None

    def _write(self, group_id: str, pointer: str, deployment_id: str) -> None:
        folder = self.instructions(group_id)
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{pointer}.{safe_name(deployment_id)}"
        fresh.write_text(deployment_id)
        fresh.replace(folder / pointer)
