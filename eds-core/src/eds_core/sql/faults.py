"""What SQLAlchemy and a DBAPI raise, as faults that can be answered. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from .errors import LOST, UNKNOWN, Fault, first_sentence

#: A driver's way to read its database's exceptions.
ReadFault = Callable[[BaseException], Fault]


def fault_of(error: BaseException, read: ReadFault) -> Fault:
    """Reduce *error* to what may be shown, by *read* where it is the database's."""
    if isinstance(error, UnicodeError | OverflowError):
        return Fault("22000", first_sentence(str(error)))
    own = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(error, SQLAlchemyError) and own is None:
        return Fault(UNKNOWN, first_sentence(str(error)))
    fault = read(own or error)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return Fault(LOST, fault.text) if lost else fault


def in_full(error: BaseException) -> str:
    """What the database said, word by word, and to which statement."""
    if not isinstance(error, DBAPIError):
        return f"the database's own words: {error!r}"
    return f"the database's own words: {error.orig!r}, to: {error.statement}"
