"""Applications: a name under which revisions and deployment groups are kept."""

from __future__ import annotations

from domain.values import Instant, Value


class Application(Value):
    """An application, as the API's `ApplicationInfo`."""

    application_id: str
    application_name: str
    create_time: Instant
    compute_platform: str = "Server"
