"""What SQL Server says, through real ODBC drivers, is answered right.

The texts are Microsoft's own (sys.messages), with values that stand for a shop's.
"""

from __future__ import annotations

from pathlib import Path

import pyodbc
import pytest

from drivers.sqlserver import driver_named, greeted
from eds_core.errors import (
    FatalError,
    RejectedError,
    TransientError,
)
from eds_core.sql.errors import ANSWERS, decide, look_up
from eds_driver_sqlserver.faults import Faults, numbered
from servers.tds import Says

GOLDEN = Path(__file__).with_name("golden") / "sqlserver_errors.txt"


def recorded():
    """Number, answer and text of each line."""
    lines = GOLDEN.read_text().splitlines()
    return [(int(n), answer, t) for n, answer, t in (s.split(" ", 2) for s in lines)]


@pytest.mark.parametrize("kind", ["microsoft", "freetds"])
def test_every_recorded_error_is_answered_without_its_values(kind):
    words = [(f"SELECT {number}", Says(number, text)) for number, _, text in recorded()]
    found = []
    told = ""
    with greeted(driver_named(kind), words) as (driver, _server):
        for number, _, _ in recorded():
            with pytest.raises(Exception) as caught:  # noqa: PT011 - its class is what is compared
                driver.session.run(f"SELECT {number}")
            driver.session._broken = False
            driver.session.connection.rollback()
            found.append((number, type(caught.value).__name__))
            told += f"{caught.value} {caught.value.__cause__}"

    assert found == [(number, answer) for number, answer, _ in recorded()]
    for part in ("Jane", "Doe", "555"):
        assert part not in told
    assert "column 'name'" in told
    assert "constraint 'FK_mine'" in told


@pytest.mark.parametrize(
    ("state", "text", "answer"),
    [
        ("08S01", "TCP Provider: Error code 0x2746 (10054)", TransientError),
        ("08S01", "Communication link failure (0)", TransientError),
        ("08S02", "Unable to open a logical session (-1)", TransientError),
        ("08001", "Client unable to establish connection (0)", TransientError),
        ("HYT00", "Login timeout expired (0)", TransientError),
        ("HYT00", "Query timeout expired (0)", TransientError),
        (
            "08001",
            (
                "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:"
                "self-signed certificate] (-1)"
            ),
            FatalError,
        ),
        ("22001", "String data, right truncation (0)", RejectedError),
        ("HY000", "something that nobody knows (0)", FatalError),
    ],
)
def test_what_odbc_says_by_itself(state, text, answer):
    said = (
        f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server]{text} (SQLExecDirectW)"
    )
    fault = Faults().read(pyodbc.Error(state, said))

    assert type(decide(fault, ANSWERS)) is answer
    assert "[Microsoft]" not in fault.text


def test_a_database_that_is_not_there_is_told_from_a_login_that_fails():
    said = (
        "[28000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Login failed "
        "for user 'eds'. (18456) (SQLDriverConnect); [28000] [Microsoft][ODBC Driver "
        '18 for SQL Server][SQL Server]Cannot open database "nope" requested by the '
        "login. The login failed. (4060)"
    )

    assert Faults().read(pyodbc.Error("28000", said)).code == "3D000"


def test_a_constraint_is_part_of_what_is_alike():
    text = (
        "[23000] [x][SQL Server]Cannot insert duplicate key row in object 'dbo.order' "
        "with unique index 'mine'. The duplicate key value is ({}). (2601) (SQLExecute)"
    )
    read = Faults().read
    one, other = (read(pyodbc.Error("23000", text.format(v))) for v in ("a", "b"))

    assert one.signature == other.signature == "23505 mine"


def test_every_number_has_an_answer():
    codes = set(numbered().values())

    assert len(numbered()) > 100
    assert {code for code in codes if look_up(code, ANSWERS) is None} == set()
