"""Applications: a name under which revisions and deployment groups are kept."""

from __future__ import annotations

from collections.abc import Mapping

from domain.values import Entry, Instant


class Application(Entry):
    """An application, as the API's `ApplicationInfo`."""

    application_id: str
    application_name: str
    create_time: Instant
    compute_platform: str = "Server"
    tags: Mapping[str, str] = {}
    """Of the resource itself; they select no targets."""

    @property
    def identity(self) -> str:
        """The application's id."""
        return self.application_id

    @property
    def entry_name(self) -> str:
        """The application's name."""
        return self.application_name
