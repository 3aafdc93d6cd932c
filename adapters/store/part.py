"""What the parts of the Redis store share: the server and the spelling of keys."""

from __future__ import annotations

from adapters.store.connection import Connection
from adapters.store.keys import Keys


class Part:
    """One part of the Redis store's methods."""

    def __init__(self, connection: Connection, log_limit: int) -> None:
        self._connection = connection
        self._keys = Keys(connection.prefix)
        self._log_limit = log_limit
