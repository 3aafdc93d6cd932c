"""Documents in memory that keep their identity when they get another name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from typing import Generic, TypeVar

from adapters.store.directories import check_identity, name_taken
from adapters.store.memory_shelf import kept
from domain.values import Entry

E = TypeVar("E", bound=Entry)


class MemoryDirectory(Generic[E]):
    """Documents of one kind."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._documents: dict[str, E] = {}
        self._identities: dict[str, str] = {}

    def get(self, identity: str) -> E | None:
        """The document, or None."""
        with self._lock:
            return self._documents.get(identity)

    def many(self, identities: Sequence[str]) -> list[E | None]:
        """Documents in the order of the identities, None where there is none."""
        with self._lock:
            return [self._documents.get(identity) for identity in identities]

    def named(self, name: str) -> E | None:
        """The document that has the name now, or None."""
        with self._lock:
            return self._documents.get(self._identities.get(name, ""))

    def many_named(self, names: Sequence[str]) -> list[E | None]:
        """Documents in the order of the names, None where there is none."""
        with self._lock:
            return [self.named(name) for name in names]

    def add(self, document: E) -> bool:
        """Keep a new document; False if its name is taken."""
        with self._lock:
            if document.entry_name in self._identities or document.identity in self._documents:
                return False
            self._keep(document)
            return True

    def change(self, identity: str, edit: Callable[[E], E]) -> E | None:
        """Edit a document; None if there is none. Raises NameTaken."""
        with self._lock:
            present = self._documents.get(identity)
            if present is None:
                return None
            edited = edit(present)
            check_identity(identity, edited)
            if self._identities.get(edited.entry_name, identity) != identity:
                raise name_taken(edited)
            del self._identities[present.entry_name]
            return self._keep(edited)

    def _keep(self, document: E) -> E:
        self._documents[document.identity] = kept(document)
        self._identities[document.entry_name] = document.identity
        return self._documents[document.identity]

    def remove(self, identity: str) -> E | None:
        """Forget a document and return it; None if there was none."""
        with self._lock:
            removed = self._documents.pop(identity, None)
            if removed is not None:
                del self._identities[removed.entry_name]
            return removed

    def names(self, *, prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
        """Up to `limit` names that begin with `prefix` and sort after `after`, in order."""
        with self._lock:
            found = sorted(name for name in self._identities if name.startswith(prefix) and name > after)
            return found[: max(limit, 0)]

    def count(self, *, prefix: str = "") -> int:
        """How many names begin with `prefix`."""
        with self._lock:
            return sum(name.startswith(prefix) for name in self._identities)
