"""What can go wrong, grouped by what the pipeline does about it.

EdsError
├── ConfigError            tell the user what to change, exit 2
│   └── OtherDriver        let the driver of another scheme speak to that server
├── ExportError            what is complete is kept, the same command goes on
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

#: The code of a value that does not fit its column, whoever notices.
NO_FIT = "E2117"


class EdsError(Exception):
    """An error that EDS knows how to answer.

    *advice* says what the user can do about it, as one sentence; *code* what
    `eds explain` says, where that is more exact than what it says of the class.
    """

    code = "E9000"

    def __init__(self, message: str, *, advice: str = "", code: str = "") -> None:
        super().__init__(message)
        self.advice = advice
        self.code = code or self.code


def coded(error: EdsError) -> str:
    """What is wrong, and the code that explains it."""
    return f"{error} [{error.code}]"


def told(error: EdsError) -> str:
    """What is wrong and what to do about it, in one line."""
    advice = f". {error.advice}" if error.advice else ""
    return f"{error}{advice} [{error.code}]"


def forget_frames(error: BaseException | None) -> None:
    """Let go of where *error* and its causes came by, and so of all that was at hand.

    For an error that has been answered: its frames hold the batch that failed.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class ConfigError(EdsError):
    """The command line, a file or a URL is wrong; nothing was started."""

    code = "E1001"


class OtherDriver(ConfigError):  # noqa: N818 - a state of affairs, named as such
    """The server is not of this driver's kind; *url* selects the driver that is."""

    code = "E1204"

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message, advice="let the URL's scheme name that database")
        self.url = url


class ExportError(EdsError):
    """The export API, or the way to its files, did not do what it was asked."""

    code = "E6001"


class DecodeError(EdsError):
    """The message holds no change event that can be applied."""

    code = "E4001"


class DestinationError(EdsError):
    """The destination did not do what it was asked."""

    code = "E2000"


class TransientError(DestinationError):
    """The destination may do it later: the connection, a lock, a full disk."""

    code = "E2001"


class ConflictError(TransientError):
    """Another transaction was in the way; nothing of this one was done.

    The connection is sound, and ours still is the company.
    """

    code = "E2002"


class RejectedError(DestinationError):
    """A value or a row does not fit; other rows may.

    *signature* is equal for errors of the same kind (an SQLSTATE and what it
    names), so that a table at fault can be told from a few bad rows.
    """

    code = "E2003"

    def __init__(
        self, message: str, *, advice: str = "", signature: str = "", code: str = ""
    ) -> None:
        super().__init__(message, advice=advice, code=code)
        self.signature = signature or message


class TableError(DestinationError):
    """The table cannot take rows at all: a privilege, a column, a constraint."""

    code = "E2004"

    def __init__(
        self, message: str, *, table: str = "", advice: str = "", code: str = ""
    ) -> None:
        super().__init__(message, advice=advice, code=code)
        self.table = table


class TakenOver(DestinationError):  # noqa: N818 - a state of affairs, named as such
    """Another EDS has claimed *company* on this destination."""

    code = "E2005"

    def __init__(self, company: str, owner: str, role: str = "server") -> None:
        super().__init__(
            f"company {company} was taken over by another EDS ({role}): {owner}"
        )
        self.company = company
        self.owner = owner
        self.role = role


class PositionMoved(DestinationError):  # noqa: N818 - a state of affairs
    """The checkpoint of *company* is not where this process left it."""

    code = "E2006"

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

    code = "E2007"
