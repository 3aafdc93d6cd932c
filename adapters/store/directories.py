"""Documents in Redis that keep their identity when they get another name: a hash each, and an index of names."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from adapters.store.connection import Connection
from adapters.store.contention import tries
from adapters.store.keys import Keys
from adapters.store.shelves import NameIndex
from domain.errors import Conflict, NameTaken
from domain.values import Entry

E = TypeVar("E", bound=Entry)

_PAGE = 100


class RedisDirectory(NameIndex, Generic[E]):
    """Documents of one kind."""

    def __init__(self, connection: Connection, keys: Keys, kind: str, model: type[E]) -> None:
        super().__init__(connection, keys, kind)
        self._model = model

    def get(self, identity: str) -> E | None:
        """The document, or None."""
        return self._read(identity)[0]

    def many(self, identities: Sequence[str]) -> list[E | None]:
        """Documents in the order of the identities, None where there is none."""
        if not identities:
            return []
        found = self._connection.ask_all(lambda pipe: [pipe.hget(self._key(each), "d") for each in identities])
        return [self._parse(text) for text in found]

    def named(self, name: str) -> E | None:
        """The document that has the name now, or None."""
        return self.many_named([name])[0]

    def many_named(self, names: Sequence[str]) -> list[E | None]:
        """Documents in the order of the names, None where there is none."""
        # A page a script, so that none holds up the server for long.
        pages = [names[at : at + _PAGE] for at in range(0, len(names), _PAGE)]
        found = [self._connection.run("named", {"kind": self._kind, "names": list(page)}) for page in pages]
        return [self._parse(text) for page in found for text in page]

    def add(self, document: E) -> bool:
        """Keep a new document; False if its name is taken."""
        return self._file(document, "") == "filed"

    def change(self, identity: str, edit: Callable[[E], E]) -> E | None:
        """Edit a document under optimistic locking; None if there is none. Raises NameTaken."""
        for _ in tries():
            present, version = self._read(identity)
            if present is None:
                return None
            edited = edit(present)
            check_identity(identity, edited)
            verdict = self._file(edited, version)
            if verdict == "taken":
                raise name_taken(edited)
            if verdict == "filed":
                return edited
        raise Conflict(f"{self._kind} {identity} changed under every attempt to write it; try again")

    def remove(self, identity: str) -> E | None:
        """Forget a document and return it; None if there was none."""
        given = {"kind": self._kind, "identity": identity, "nonce": secrets.token_hex(8)}
        return self._parse(self._connection.run("strike", given))

    def _key(self, identity: str) -> str:
        return self._keys(self._kind, identity)

    def _parse(self, text: str | None) -> E | None:
        return None if text is None else self._model.model_validate_json(text)

    def _read(self, identity: str) -> tuple[E | None, str]:
        text, version = self._connection.ask(lambda redis: redis.hmget(self._key(identity), ["d", "version"]))
        return self._parse(text), version or ""

    def _file(self, document: E, version: str) -> str:
        given = {
            "kind": self._kind,
            "identity": document.identity,
            "name": document.entry_name,
            "version": version,
            "nonce": secrets.token_hex(8),
            "document": document.model_dump_json(),
        }
        return str(self._connection.run("file", given))


def check_identity(identity: str, edited: Entry) -> None:
    """Raises for an edit that would make the document another one."""
    if edited.identity != identity:
        raise ValueError(f"the identity {identity} is not for editing")


def name_taken(edited: Entry) -> NameTaken:
    """The refusal of a name that another has."""
    return NameTaken(f"another has the name {edited.entry_name} already")
