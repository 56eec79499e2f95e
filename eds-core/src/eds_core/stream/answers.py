"""What it means when NATS does not do what it was asked, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors

from eds_core.errors import FatalError, TransientError

#: What to do when JetStream does not answer at all.
CHECK = "check --server, and that the credentials file is the newest you were given"
_ADVICE = {
    10039: f"this account has no JetStream: {CHECK}",
    10059: f"this account does not have the stream: {CHECK}",
}


class Unreachable(FatalError):  # noqa: N818 - a state of affairs, named as such
    """NATS cannot be connected to now."""

    code = "E3001"


class NoAnswer(TransientError):  # noqa: N818 - a state of affairs, named as such
    """Nobody answered a request in time."""

    code = "E3005"


class Disconnected(NoAnswer):
    """The connection was lost: that says nothing of who was asked."""

    code = "E3006"


class ApiError(TransientError):
    """JetStream answered a request with an error."""

    code = "E3007"

    def __init__(self, subject: str, code: int, description: str) -> None:
        told = f"NATS answered {code} to {subject}: {description}"
        super().__init__(told, advice=_ADVICE.get(code, ""))
        self.number = code
        self.description = description


@contextmanager
def transient(what: str, advice: str = "") -> Iterator[None]:
    """No exception of nats-py leaves this block: NoAnswer says that *what* failed."""
    try:
        yield
    except nats.errors.ConnectionClosedError as error:
        raise Disconnected(f"{what}: {words(error)}", advice=advice) from error
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise NoAnswer(f"{what}: {words(error)}", advice=advice) from error


def words(error: Exception) -> str:
    return str(error).removeprefix("nats: ") or type(error).__name__


def made_anew(company: str, told: str) -> FatalError:
    """The position of *company* means nothing in this stream, as *told*."""
    forget = f"DELETE FROM _eds_checkpoint WHERE company = '{company}'"  # noqa: S608 - a text for people
    return FatalError(
        f"{told}: the stream was made anew, or has lost messages, or the credentials "
        "are of another account",
        advice=f"let the company begin anew ({forget}), then import the data again; "
        "see `first position` in the guide",
        code="E3008",
    )
