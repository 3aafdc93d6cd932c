"""The errors that the wire itself answers with, by AWS's names. Knows no operation and no encoding."""

from __future__ import annotations

from domain.errors import CallerError


class WireError(CallerError):
    """The request is not one that can be passed on."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def unreadable(message: str) -> WireError:
    """The body is not what the protocol or the shape says."""
    return WireError("SerializationException", message)


def invalid(message: str) -> WireError:
    """A member breaks its constraint, and the operation models no error for that."""
    return WireError("ValidationException", message)


def unknown_operation(message: str = "The operation is not one of this service.", *, status: int = 400) -> WireError:
    """There is nothing to call."""
    return WireError("UnknownOperationException", message, status=status)
