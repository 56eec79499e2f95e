"""What can go wrong, grouped by what the pipeline does about it.

EdsError
├── ConfigError            tell the user what to change, exit 2
│   └── OtherDriver        let the driver of another scheme speak to that server
├── DecodeError            quarantine the message, go on
└── DestinationError
    ├── TransientError     roll back, wait, the same batch again
    │   └── ConflictError  roll back, the same transaction again, soon
    ├── RejectedError      one row is at fault: isolate and quarantine it
    ├── TableError         one table is at fault: park it, the others go on
    ├── TakenOver          another EDS owns this company now: give it up
    ├── PositionMoved      the checkpoint is not where we left it: read it again
    └── FatalError         stop, exit 1; the position stays
"""

from __future__ import annotations


class EdsError(Exception):
    """An error that EDS knows how to answer.

    *advice* says what the user can do about it, as one sentence.
    """

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


def told(error: EdsError) -> str:
    """What is wrong and what to do about it, in one line."""
    return f"{error}. {error.advice}" if error.advice else str(error)


class ConfigError(EdsError):
    """The command line, a file or a URL is wrong; nothing was started."""


class OtherDriver(ConfigError):  # noqa: N818 - a state of affairs, named as such
    """The server is not of this driver's kind; *url* selects the driver that is."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message, advice="let the URL's scheme name that database")
        self.url = url


class DecodeError(EdsError):
    """The message holds no change event that can be applied."""


class DestinationError(EdsError):
    """The destination did not do what it was asked."""


class TransientError(DestinationError):
    """The destination may do it later: the connection, a lock, a full disk."""


class ConflictError(TransientError):
    """Another transaction was in the way; nothing of this one was done.

    The connection is sound, and ours still is the company.
    """


class RejectedError(DestinationError):
    """A value or a row does not fit; other rows may.

    *signature* is equal for errors of the same kind (an SQLSTATE and what it
    names), so that a table at fault can be told from a few bad rows.
    """

    def __init__(self, message: str, *, advice: str = "", signature: str = "") -> None:
        super().__init__(message, advice=advice)
        self.signature = signature or message


class TableError(DestinationError):
    """The table cannot take rows at all: a privilege, a column, a constraint."""

    def __init__(self, message: str, *, table: str = "", advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.table = table


class TakenOver(DestinationError):  # noqa: N818 - a state of affairs, named as such
    """Another EDS has claimed *company* on this destination."""

    def __init__(self, company: str, owner: str, role: str = "server") -> None:
        super().__init__(
            f"company {company} was taken over by another EDS ({role}): {owner}"
        )
        self.company = company
        self.owner = owner
        self.role = role


class PositionMoved(DestinationError):  # noqa: N818 - a state of affairs
    """The checkpoint of *company* is not where this process left it."""

    def __init__(self, company: str, found: int, expected: int) -> None:
        super().__init__(
            f"the checkpoint of company {company} is at {found}, not at {expected}: "
            "the destination was restored or failed over"
        )
        self.company = company
        self.found = found
        self.expected = expected


class FatalError(DestinationError):
    """EDS cannot go on; a person has to look. The position has not moved."""
