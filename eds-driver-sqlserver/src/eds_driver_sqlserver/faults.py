"""What SQL Server's errors mean: by its own numbers, and without any value. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from eds_core.sql.errors import LOST, UNKNOWN, Fault, first_sentence

from .statements import UNFIT

#: SQL Server's numbers, by the SQLSTATE that ``eds_core.sql.errors`` answers.
_CODES: Mapping[str, tuple[int, ...]] = {
    # The row's fault.
    "21000": (512,),  # several rows for one
    "22001": (2628, 8152),  # would be cut off
    "22003": (220, 232, 8115),  # too large a number
    "22007": (241, 242, 295),  # no date
    "22018": (245, 6522, 8114, 8169, 9803),  # cannot be converted
    "22032": (13608, 13609),  # not JSON
    "23505": (2601, 2627),  # a unique index, a unique constraint
    "54000": (511, 1904, 1946),  # a key or a row too long
    # The table's fault.
    "0A000": (334, 4405, 4406),  # a view or a trigger that cannot take it
    "23502": (515,),  # NOT NULL
    "23503": (547,),  # a foreign key or a check
    "2BP01": (3726, 4922, 5074),  # something of the user's depends on it
    "42000": (206, 271, 273, 468, 529, 544, 1919, 8622),  # types, computed columns
    "42501": (229, 230, 262, 297, 300, 1088, 2760, 3704),  # a privilege
    "42601": (102, 156, 195, 319),  # not understood
    "42701": (2705,),  # the column is there already
    "42703": (207, 1911, 4924),  # no such column
    "42P01": (208, 3701, 4902),  # no such table
    "42P07": (2714,),  # the table is there already
    "44000": (550,),  # a view's check option
    "54011": (1701, 1702),  # too many or too long columns
    "P0001": (3609, 3616, 50000),  # a user's own trigger
    # Later, perhaps.
    "08006": (64, 121, 233, 596, 3971, 6106, 10053, 10054, 10060),  # lost
    "08001": (20002, 20004, 20006, 20009, 20017),  # FreeTDS: nobody there
    "25006": (976, 978, 3906, 3908),  # read-only, a replica
    "40001": (1205, 3960, 3961, 41302, 41305, 41325),  # deadlock, conflict
    "40003": (628, 3902, 3903, 3930, 3998),  # the transaction is gone
    "53100": (1101, 1105, 3257, 9002, 40544),  # no room
    "53200": (701, 802, 1204, 8645),  # memory
    "53300": (10928, 10929, 17809),  # connections
    "55P03": (1222,),  # locked
    "57P03": (921, 922, 924, 927, 952, 983, 6005, 17142, 17197, 18401),  # not ready
    "57P04": (4221, 40197, 40501, 40540, 40613, 49918, 49919, 49920),  # Azure is busy
    "57P01": (40549, 40550, 40551, 40552, 40553),  # Azure ended the session
    "58030": (823, 824, 825),  # the server's disk
    # A person has to see to it.
    "28000": (916, 18452, 18456, 18470, 18486, 18487, 18488, 40532, 40615),  # login
    "3D000": (911, 4060, 40608),  # no such database
}

_ADVICE: Mapping[int, str] = {
    229: "GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::dbo TO the user of the URL",
    262: "GRANT CREATE TABLE TO the user of the URL",
    1088: "GRANT ALTER ON SCHEMA::dbo TO the user of the URL, and create its schema",
    2760: "GRANT ALTER ON SCHEMA::dbo TO the user of the URL, and create its schema",
    916: "CREATE USER in this database FOR LOGIN of the URL's user",
    1222: "another session holds a lock: SELECT blocking_session_id FROM "
    "sys.dm_exec_requests says which one",
    3609: "see to the trigger that ends the transaction; then `eds resume TABLE`",
    40615: "let the server's firewall admit this machine",
}

_CERTIFICATE = (
    "install the authority's certificate on this machine, or give "
    "hostname_in_certificate= in the URL; in a network that is yours alone "
    "trust_server_certificate=yes"
)

#: What ODBC says by itself, without a number of the server's.
_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        r"(?i)certificate|SSL|TLS|encryption",
        "TLS00",
        _CERTIFICATE,
    ),
    (r"Invalid value specified for connection string", "ODBC0", ""),
    (r"Protocol error in TDS|Unexpected EOF|Broken pipe|reset by peer", LOST, ""),
    (r"(?i)timeout expired", "HYT00", ""),
    (r"^Unknown error$", LOST, ""),  # FreeTDS, of a connection that is gone
    (r"(?i)not connected|connection is (dead|closed|broken)|link failure", LOST, ""),
    (r"(?i)invalid cursor state|connection is busy", UNKNOWN, ""),
)

_TAGS = re.compile(r"^(?:\[[^\]]*\]\s*)+")
_NUMBER = re.compile(r"\((-?\d+)\)(?= \(SQL\w+\)|; \[|$)")
_OF_ONE = re.compile(r" \(-?\d+\)(?: \(SQL\w+\)|; \[|$)")
#: Where the server quotes a row's values, to the end of the value.
_VALUES = re.compile(
    r"(?<=value is )\(.*\)|(?<=Truncated value: )'.*'|(?<= value )'.*'(?= to data)"
    r"|(?<=, value = )\S+(?=\.)|The statement has been terminated\.",
    re.DOTALL,
)
_QUOTED = re.compile(
    r"((?:attribute|column|constraint|database|index|lib|login|name|object|procedure"
    r"|schema|table|trigger|type|user|view) )?(?<!\w)'[^']*'"
)
#: From here on numbers are a user's own.
_USERS = 50_000
_NO_DATABASE = 4060


def numbered() -> dict[int, str]:
    """SQLSTATEs by SQL Server's number."""
    return {number: code for code, some in _CODES.items() for number in some}


class Faults:
    """Reads the exceptions of pyodbc's."""

    def __init__(self) -> None:
        self._codes = numbered()

    def read(self, error: BaseException) -> Fault:
        """Reduce *error* to what may be shown."""
        state, said = _told(error)
        words = _first(said)
        number, text = self._number(said), shown(words)
        if number == _USERS and words.startswith(UNFIT.partition("%s")[0]):
            return Fault("22018", text)
        if code := self._codes.get(number):
            advice = _ADVICE.get(number, "")
            return Fault(code, text, names(words), advice=advice)
        for pattern, code, advice in _WORDS:
            if re.search(pattern, words):
                return Fault(code, text, advice=advice)
        return Fault(_state(state, number), text)

    def _number(self, said: str) -> int:
        """The one that says most; without the database the login fails, too."""
        found = [int(number) for number in _NUMBER.findall(said)]
        if _NO_DATABASE in found:
            return _NO_DATABASE
        known = [number for number in found if number in self._codes]
        return (known or found or [0])[0]


def _state(state: str, number: int) -> str:
    """ODBC's own SQLSTATE, where it says something that the numbers do not."""
    if state.startswith("08"):
        return LOST
    if state.startswith(("22", "HYT", "40")):
        return state
    return "P0001" if number >= _USERS else UNKNOWN


def _told(error: BaseException) -> tuple[str, str]:
    state, said = (*error.args, "", "")[:2]
    return (str(state), str(said)) if said else ("", str(error))


def _first(said: str) -> str:
    """The first of what may be several errors, without ODBC's decoration."""
    return _TAGS.sub("", _OF_ONE.split(said)[0].strip())


def shown(words: str) -> str:
    """The server's words, without what stands in the row."""
    plain = _VALUES.sub("…", words.replace('"', "'"))
    named = _QUOTED.sub(lambda m: m[0] if m[1] else "'…'", plain)
    return first_sentence(named)


def names(words: str) -> str:
    """The constraint or column that the server names, so that kinds are told apart."""
    found = re.search(r"(?:constraint|index|column) ['\"](\w+)['\"]", words)
    return found[1] if found else ""
