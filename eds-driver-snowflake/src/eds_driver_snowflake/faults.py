"""What Snowflake's errors mean, by its own numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from snowflake.connector import errors

from eds_core.errors import DestinationError, FatalError, TableError, TransientError
from eds_core.sql.errors import LOST, UNKNOWN, Fault, first_sentence

from .address import Address

#: Snowflake's numbers as SQLSTATEs, which decide what the pipeline does. Its own
#: states are not enough: 22000 is a lock as well as a value, 42601 many things.
CODES: Mapping[int, str] = {
    14: LOST,  # the connector: login timed out
    250001: LOST,  # the connector: no answer
    250002: LOST,  # the connector: closed
    390100: "28P01",  # user or password
    390101: "28P01",
    390144: "28P01",  # the key's token
    390102: "28000",  # the user is disabled, the account locked
    390105: "28000",
    390201: "28000",  # a role, database or warehouse named at login
    390422: "28000",  # network policy
    390432: "28000",
    394300: "28000",
    394304: "28P01",  # the key's token: not the user's key
    390103: LOST,  # tokens and sessions that have ended
    390104: LOST,
    390110: LOST,
    390111: LOST,
    390112: LOST,
    390113: LOST,
    390114: LOST,
    390115: LOST,
    390195: LOST,
    390318: LOST,
    2003: "42P01",  # does not exist, or may not be seen
    2043: "42P01",
    3540: "42P01",
    904: "42703",  # no such column
    2002: "42P07",  # exists already
    1789: "42P07",
    3001: "42501",  # privileges
    3041: "42501",
    90105: "3D000",  # no database, no schema
    90106: "3F000",
    606: "57W00",  # no warehouse: see below
    609: "57P03",  # the warehouse cannot run just now
    625: "55P03",  # locks
    626: "55P03",
    630: "57014",  # timeouts
    603: "XX000",  # an incident of Snowflake's own
    604: "57014",  # cancelled
    601: "40001",
    391920: "53300",  # too many at once: not again at once
    100035: "22007",  # values
    100037: "22018",
    100038: "22018",
    100039: "22003",
    100040: "22007",
    100046: "22003",
    100051: "22012",
    100069: "22P02",
    100071: "22018",
    100078: "22001",
    100080: "22000",
    100082: "22001",
    100096: "22007",
    100097: "22000",
    100132: "22003",
    100145: "54000",
    100072: "23502",  # NOT NULL
    100090: "21000",  # two rows for one
    90073: "57W01",  # the warehouse is suspended by a resource monitor
}

NO_WAREHOUSE = "57W00"
_NUMBER = re.compile(r"^\d{6} \([^)]*\): |^------ ?\(?[^)]*\)?: ")
#: Values come in single quotes; what else does was made a name before, by _SUBJECT.
_VALUES = re.compile(r"'(?:[^'\n]|'')*'(?! is not recognized as a type)|'.*", re.DOTALL)
_SUBJECT = re.compile(
    r"(?i)((?:object|table|schema|database|column|stage|warehouse|role|identifier|"
    r"privileges? on \w+|name) )'([^'\n]*)'"
)
#: What Snowflake says in front of what it says.
_HEADING = re.compile(r"(?:[\w ]+ error:|error line \d+ at position \d+)\n")
_OF_VALUES = ("21", "22")
_IDS = re.compile(r" \((?:request_id|sfqid)=[^)]*\)$")


def read_fault(error: BaseException) -> Fault:
    """Reduce the connector's exception to what may be shown."""
    number = getattr(error, "errno", None)
    text = told(str(getattr(error, "raw_msg", "") or error))
    if not isinstance(error, errors.Error):
        return Fault(UNKNOWN, text)
    if isinstance(number, int) and number in CODES:
        code = _connecting(text) if number == 250001 else CODES[number]  # noqa: PLR2004 - Snowflake's number
        if code.startswith(_OF_VALUES):  # Snowflake quotes them, some whole rows
            text = "a value does not fit"
        return Fault(code, f"{text} [{number:06d}]")
    if isinstance(error, errors.OperationalError | errors.InterfaceError):
        return Fault(LOST, text)
    state = getattr(error, "sqlstate", None)
    return Fault(state or UNKNOWN, text)


def _connecting(text: str) -> str:
    """The connector has one number for no answer and for a login refused."""
    refused = re.search(r"(?i)incorrect username|password|jwt|not allowed|denied", text)
    return "28P01" if refused else LOST


def told(text: str) -> str:
    """The first sentence of *text*: names as they are, values left out."""
    plain = _IDS.sub("", text.strip())
    while (shorter := _NUMBER.sub("", plain)) != plain:
        plain = shorter
    names = _SUBJECT.sub(r'\1"\2"', _HEADING.sub("", plain))
    return first_sentence(_VALUES.sub("…", names))


#: What differs from other databases.
ANSWERS: Mapping[str, type[DestinationError]] = {
    "57W": FatalError,  # no warehouse: only a person can help
    "XX": TransientError,  # Snowflake's own incidents
    "42P07": TableError,
}
WORDS: Mapping[str, str] = {
    "3F000": "the schema does not exist, or its use is not granted",
    NO_WAREHOUSE: "no warehouse is selected, or its use is not granted",
}


def advised(fault: Fault, address: Address) -> Fault:
    """Say which grant is missing, to be pasted as it is."""
    role = address.role or "<EDS's role>"
    warehouse = address.warehouse or "<a warehouse>"
    place = f"{address.database}.{address.schema}"
    advice = {
        NO_WAREHOUSE: f"name one in the URL (warehouse=) and run: "
        f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role}",
        "57W01": "raise the quota of the warehouse's resource monitor",
        "3F000": f"run: GRANT USAGE ON DATABASE {address.database} TO ROLE {role}; "
        f"GRANT USAGE ON SCHEMA {place} TO ROLE {role}",
        "42501": f"run: GRANT CREATE TABLE, CREATE STAGE ON SCHEMA {place} "
        f"TO ROLE {role}; a table that another role made needs "
        f"GRANT OWNERSHIP ON TABLE ... TO ROLE {role}",
    }.get(fault.code, "")
    return replace(fault, advice=advice) if advice and not fault.advice else fault
