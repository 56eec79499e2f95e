"""What a database's error means: by SQLSTATE, and without any value in its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from eds_core.errors import (
    NO_FIT,
    ConfigError,
    ConflictError,
    DestinationError,
    FatalError,
    RejectedError,
    TableError,
    TransientError,
)

LOST = "08006"  # the connection is gone
UNKNOWN = "HY000"

Answers = Mapping[str, type[DestinationError]]

#: By SQLSTATE or the beginning of one; the longest that fits decides.
ANSWERS: Answers = {
    "08": TransientError,  # connection
    "0A": TableError,  # not supported: a view, a rule, a foreign table
    "21": RejectedError,  # two keys that the database holds for one
    "22": RejectedError,  # a value does not fit
    "23": TableError,  # a constraint that is not ours
    "23505": RejectedError,  # a user's own unique index
    "23P01": RejectedError,  # a user's own exclusion constraint
    "25": TransientError,  # read-only after a failover, idle for too long
    "28": FatalError,  # login
    "2B": TableError,  # something of the user's depends on it
    "3D": FatalError,  # no such database
    "3F": FatalError,  # no such schema
    "40": TransientError,  # rolled back, or nobody knows (40003)
    "40001": ConflictError,  # serialization
    "40P01": ConflictError,  # deadlock
    "42": TableError,  # no such table or column, no privilege
    "44": TableError,  # a view's check option
    "53": TransientError,  # disk full, memory, too many connections
    "54": TableError,  # too many columns
    "54000": RejectedError,  # a key too long for an index
    "55": TransientError,  # locked, in use
    "57": TransientError,  # cancelled, shutting down, starting up
    "58": TransientError,  # the database's disk
    "HYT": TransientError,  # ODBC: timeouts
    "P0": RejectedError,  # a user's own trigger
}

_RESUME = "then `eds resume TABLE` goes on with it"
_ADVICE: Mapping[str, str] = {
    "0A": "drop the view or rule that depends on the column, and make it anew later; "
    f"or give EDS a plain table; {_RESUME}",
    "22": "look at the row in the quarantine; the column may be too narrow",
    "23505": "drop the unique index that was added, or mend the rows it is about",
    "23": f"drop the constraint that was added to the table; {_RESUME}",
    "25": "let the destination's URL name the primary server",
    "28": "check the user and the password in the destination's URL",
    "2B": f"drop what depends on the column, and make it anew later; {_RESUME}",
    "2BP02": "rename the table: EDS makes it anew, and an import fills it",
    "3D": "create the database, or correct its name in the destination's URL",
    "3F": "create the schema, or correct it in the destination's URL",
    "42501": f"grant EDS's user the privilege; {_RESUME}",
    "42P01": f"the table was dropped or renamed; {_RESUME}: it is made again",
    "42703": f"a column was dropped or renamed; {_RESUME}: it is added again",
    "42P10": f"give the table its primary key again; {_RESUME}",
    "53100": "make room on the database's disk",
    "53300": "raise the database's limit of connections, or close some",
    "54000": "keys as long as this one cannot be indexed",
    "55006": "end the other program that has it open",
    "55": "something else holds a lock on the table",
    "57P01": "the database is being shut down",
}


#: What `eds explain` knows each as.
_CODES: Mapping[str, str] = {
    "08": "E2101",
    "HYT": "E2101",
    "28": "E2102",
    "3D": "E2103",
    "3F": "E2104",
    "42501": "E2105",
    "42P01": "E2106",
    "42703": "E2107",
    "2BP02": "E2108",
    "42P10": "E2108",
    "25": "E2109",
    "53100": "E2110",
    "53": "E2111",
    "55": "E2112",
    "57": "E2113",
    "0A": "E2114",
    "2B": "E2114",
    "44": "E2115",
    "23": "E2115",
    "23505": "E2116",
    "23P01": "E2116",
    "22": NO_FIT,
    "54": "E2118",
    "P0": "E2119",
    "57W": "E2120",
    "TLS": "E2121",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a database said, reduced to what may be shown to anybody."""

    code: str  # SQLSTATE
    text: str  # its first sentence, without values
    names: str = ""  # the constraint or column that it names
    table: str = ""
    advice: str = ""  # what to do about it; empty: what the code suggests

    @property
    def is_lost(self) -> bool:
        """The connection is gone."""
        return self.code.startswith("08")

    @property
    def signature(self) -> str:
        """Equal for errors of one kind. A user's trigger may say anything."""
        if self.code.startswith("P0"):
            return self.code
        return f"{self.code} {self.names or self.text}"


def look_up(code: str, found_in: Mapping[str, object]) -> str | None:
    """Return the longest beginning of *code* that is a key of *found_in*."""
    beginnings = (code[:length] for length in range(len(code), 1, -1))
    return next((some for some in beginnings if some in found_in), None)


def decide(fault: Fault, answers: Answers) -> DestinationError:
    """Say what the pipeline shall do about *fault*."""
    found = look_up(fault.code, answers)
    answer = answers[found] if found else FatalError
    advice = fault.advice or _ADVICE.get(look_up(fault.code, _ADVICE) or "", "")
    text = f"{fault.text} ({fault.code})"
    code = _CODES.get(look_up(fault.code, _CODES) or "", "")
    if answer is TableError:
        return TableError(text, table=fault.table, advice=advice, code=code)
    if answer is RejectedError:
        return RejectedError(text, advice=advice, signature=fault.signature, code=code)
    return answer(text, advice=advice, code=code)


def opening(error: DestinationError, place: str) -> ConfigError | TransientError:
    """Say what the user shall do when a destination cannot be opened at all."""
    text = f"cannot open {place}: {error}"
    if isinstance(error, TransientError):
        advice = error.advice or (
            "see that the server runs and that no firewall is in between; `eds doctor` "
            "says which step fails"
        )
        return TransientError(text, advice=advice, code=error.code)
    advice = error.advice or "correct the destination's URL"
    return ConfigError(text, advice=advice, code=error.code)


def while_opening(
    fault: Fault, answers: Answers, place: str
) -> ConfigError | TransientError:
    return opening(decide(fault, answers), place)


_SQLALCHEMY = re.compile(r"\s*\[SQL: .*|\s*\(Background on this error.*", re.DOTALL)
_QUOTED = re.compile(
    r"((?:column|relation|constraint|type|table|index|schema|database|user|role"
    r'|domain|parameter) "[^"\n]*")|".*"|".*',
    re.DOTALL,
)


def first_sentence(text: str) -> str:
    """Return the first line of a database's words, without quoted values.

    Names of columns, constraints and the like stay; DETAIL, CONTEXT and the
    statement do not.
    """
    words = _SQLALCHEMY.sub("", text).strip()
    lines = _QUOTED.sub(lambda match: match[1] or '"…"', words).splitlines()
    return lines[0][:300] if lines else "no reason given"


@contextmanager
def not_alone() -> Iterator[None]:
    """A server that is being taken over may just have written the same row."""
    try:
        yield
    except RejectedError as error:
        raise TransientError(f"another EDS wrote at the same time: {error}") from error
