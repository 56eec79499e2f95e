"""What SQL Server says, through real ODBC drivers, is answered right.

The texts are Microsoft's own (sys.messages), with values that stand for a shop's.
"""

from __future__ import annotations

import pyodbc
import pytest

from drivers.sqlserver import driver_named, greeted
from eds_core.errors import (
    FatalError,
    RejectedError,
    TableError,
    TransientError,
)
from eds_core.sql.errors import ANSWERS, decide, look_up
from eds_driver_sqlserver.faults import Faults, numbered
from servers.tds import Says

SECRET = "Jane Doe (555) 'x'"

RECORDED = [
    (
        2627,
        "Violation of PRIMARY KEY constraint 'PK__order__1'. Cannot insert duplicate "
        f"key in object 'dbo.order'. The duplicate key value is ({SECRET}).",
        RejectedError,
    ),
    (
        2601,
        "Cannot insert duplicate key row in object 'dbo.order' with unique index "
        f"'mine'. The duplicate key value is ({SECRET}).",
        RejectedError,
    ),
    (
        245,
        f"Conversion failed when converting the nvarchar value '{SECRET}' to data "
        "type int.",
        RejectedError,
    ),
    (8114, "Error converting data type nvarchar to numeric.", RejectedError),
    (
        241,
        "Conversion failed when converting date and/or time from character string.",
        RejectedError,
    ),
    (
        2628,
        "String or binary data would be truncated in table 'shop.dbo.order', column "
        f"'name'. Truncated value: '{SECRET}'.",
        RejectedError,
    ),
    (8152, "String or binary data would be truncated.", RejectedError),
    (
        220,
        "Arithmetic overflow error for data type tinyint, value = 555.",
        RejectedError,
    ),
    (
        8115,
        "Arithmetic overflow error converting expression to data type int.",
        RejectedError,
    ),
    (
        1946,
        "Operation failed. The index entry of length 1200 bytes for the index 'PK__x' "
        "exceeds the maximum length of 900 bytes for clustered indexes.",
        RejectedError,
    ),
    (50000, "a trigger of the shop's own says no", RejectedError),
    (208, "Invalid object name 'dbo.order'.", TableError),
    (207, "Invalid column name 'name'.", TableError),
    (
        229,
        "The INSERT permission was denied on the object 'order', database 'shop', "
        "schema 'dbo'.",
        TableError,
    ),
    (262, "CREATE TABLE permission denied in database 'shop'.", TableError),
    (
        515,
        "Cannot insert the value NULL into column 'name', table 'shop.dbo.order'; "
        "column does not allow nulls. INSERT fails.",
        TableError,
    ),
    (
        547,
        'The INSERT statement conflicted with the FOREIGN KEY constraint "FK_mine". '
        'The conflict occurred in database "shop", table "dbo.customer", column '
        "'id'.",
        TableError,
    ),
    (
        3609,
        "The transaction ended in the trigger. The batch has been aborted.",
        RejectedError,
    ),
    (
        1205,
        "Transaction (Process ID 52) was deadlocked on lock resources with another "
        "process and has been chosen as the deadlock victim. Rerun the transaction.",
        TransientError,
    ),
    (1222, "Lock request time out period exceeded.", TransientError),
    (
        1105,
        "Could not allocate space for object 'dbo.order' in database 'shop' because "
        "the 'PRIMARY' filegroup is full.",
        TransientError,
    ),
    (
        9002,
        "The transaction log for database 'shop' is full due to 'LOG_BACKUP'.",
        TransientError,
    ),
    (
        3906,
        'Failed to update database "shop" because the database is read-only.',
        TransientError,
    ),
    (40197, "The service has encountered an error. Please try again.", TransientError),
    (40501, "The service is currently busy. Retry after 10 seconds.", TransientError),
    (
        40613,
        "Database 'shop' on server 'x' is not currently available.",
        TransientError,
    ),
    (18456, "Login failed for user 'eds'.", FatalError),
    (
        4060,
        'Cannot open database "nope" requested by the login. The login failed.',
        FatalError,
    ),
]


@pytest.mark.parametrize("kind", ["microsoft", "freetds"])
def test_every_recorded_error_is_answered_without_its_values(kind):
    words = [(f"SELECT {number}", Says(number, text)) for number, text, _ in RECORDED]
    found = []
    told = ""
    with greeted(driver_named(kind), words) as (driver, server):
        for number, _, _ in RECORDED:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - its class is what is compared
                driver.session.run(f"SELECT {number}")
            driver.session._broken = False
            driver.session.connection.rollback()
            found.append((number, type(caught.value)))
            told += f"{caught.value} {caught.value.__cause__}"

    assert found == [(number, answer) for number, _, answer in RECORDED]
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
            "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:"
            "self-signed certificate] (-1)",
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
