"""Named documents in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Generic, TypeVar

from domain.values import Value

T = TypeVar("T", bound=Value)


def kept(value: T) -> T:
    """A copy that shares nothing with the original, made as a real store would: through JSON."""
    return type(value).model_validate_json(value.model_dump_json())


class MemoryShelf(Generic[T]):
    """Documents of one kind."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._documents: dict[str, T] = {}
        self._names: list[str] = []

    def get(self, name: str) -> T | None:
        """The document, or None."""
        with self._lock:
            return self._documents.get(name)

    def many(self, names: Sequence[str]) -> list[T | None]:
        """Documents in the order of the names, None where there is none."""
        with self._lock:
            return [self._documents.get(name) for name in names]

    def add(self, name: str, document: T) -> bool:
        """Keep a new document; False if the name is taken."""
        with self._lock:
            if name in self._documents:
                return False
            self._documents[name] = kept(document)
            insort(self._names, name)
            return True

    def change(self, name: str, edit: Callable[[T], T]) -> T | None:
        """Edit a document; None if there is none."""
        with self._lock:
            if name not in self._documents:
                return None
            edited = kept(edit(self._documents[name]))
            self._documents[name] = edited
            return edited

    def remove(self, name: str) -> T | None:
        """Forget a document and return it; None if there was none."""
        with self._lock:
            if name in self._documents:
                self._names.remove(name)
            return self._documents.pop(name, None)

    def names(self, *, prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
        """Up to `limit` names that begin with `prefix` and sort after `after`, in order."""
        with self._lock:
            start = max(bisect_left(self._names, prefix), bisect_right(self._names, after))
            page = self._names[start : start + max(limit, 0)]
            return [name for name in page if name.startswith(prefix)]

    def count(self, *, prefix: str = "") -> int:
        """How many names begin with `prefix`."""
        with self._lock:
            return sum(name.startswith(prefix) for name in self._names)
