"""Named documents in Redis, each with a version, listed in name order."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from adapters.store.connection import Connection
from adapters.store.contention import tries
from adapters.store.keys import Keys
from domain.errors import Conflict
from domain.values import Value

T = TypeVar("T", bound=Value)


class NameIndex:
    """The names of one kind of documents, in order."""

    def __init__(self, connection: Connection, keys: Keys, kind: str) -> None:
        self._connection = connection
        self._keys = keys
        self._kind = kind

    def names(self, *, prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
        """Up to `limit` names that begin with `prefix` and sort after `after`, in order."""
        low, high = _range(prefix)
        if after and after >= prefix:
            low = f"({after}"
        found: list[str] = self._connection.ask(
            lambda redis: redis.zrangebylex(self._keys("names", self._kind), low, high, start=0, num=max(limit, 0))
        )
        return found

    def count(self, *, prefix: str = "") -> int:
        """How many names begin with `prefix`."""
        low, high = _range(prefix)
        return int(self._connection.ask(lambda redis: redis.zlexcount(self._keys("names", self._kind), low, high)))


def _range(prefix: str) -> tuple[str, str | bytes]:
    # No UTF-8 text holds this byte, so every name with the prefix sorts before it.
    return (f"[{prefix}", b"(" + prefix.encode() + b"\xff") if prefix else ("-", "+")


class RedisShelf(NameIndex, Generic[T]):
    """Documents of one kind."""

    def __init__(self, connection: Connection, keys: Keys, kind: str, model: type[T]) -> None:
        super().__init__(connection, keys, kind)
        self._model = model

    def get(self, name: str) -> T | None:
        """The document, or None."""
        return self._read(name)[0]

    def many(self, names: Sequence[str]) -> list[T | None]:
        """Documents in the order of the names, None where there is none."""
        if not names:
            return []
        found = self._connection.ask_all(lambda pipe: [pipe.hget(self._key(name), "d") for name in names])
        return [self._parse(text) for text in found]

    def add(self, name: str, document: T) -> bool:
        """Keep a new document; False if the name is taken."""
        return self._put(name, document, "")

    def change(self, name: str, edit: Callable[[T], T]) -> T | None:
        """Edit a document under optimistic locking; None if there is none."""
        for _ in tries():
            present, version = self._read(name)
            if present is None:
                return None
            edited = edit(present)
            if self._put(name, edited, version):
                return edited
        raise Conflict(f"{self._kind} {name} changed under every attempt to write it; try again")

    def remove(self, name: str) -> T | None:
        """Forget a document and return it; None if there was none."""
        given = {"kind": self._kind, "name": name, "nonce": secrets.token_hex(8)}
        return self._parse(self._connection.run("remove", given))

    def _key(self, name: str) -> str:
        return self._keys(self._kind, name)

    def _parse(self, text: str | None) -> T | None:
        return None if text is None else self._model.model_validate_json(text)

    def _read(self, name: str) -> tuple[T | None, str]:
        text, version = self._connection.ask(lambda redis: redis.hmget(self._key(name), ["d", "version"]))
        return self._parse(text), version or ""

    def _put(self, name: str, document: T, version: str) -> bool:
        given = {
            "kind": self._kind,
            "name": name,
            "version": version,
            "nonce": secrets.token_hex(8),
            "document": document.model_dump_json(),
        }
        return bool(self._connection.run("put", given))
