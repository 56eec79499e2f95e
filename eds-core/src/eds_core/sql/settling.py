"""Methods whose transactions are done again while others are in their way."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from .session import Session


class _WithSession(Protocol):
    _session: Session


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=_WithSession)


def settled(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], R]:
    """Do it again after a conflict, if it has a transaction of its own."""

    @wraps(method)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        session = self._session
        return session.settled(lambda: method(self, *args, **kwargs))

    return run
