"""What Snowflake's errors mean: from errors as Snowflake words them."""

from __future__ import annotations

import pytest
from snowflake.connector import errors

from eds_core.errors import FatalError, RejectedError, TableError, TransientError
from eds_core.sql.errors import decide
from eds_driver_snowflake import SnowflakeDriver

URL = "snowflake://u:p@acc/DB/S?warehouse=W&role=R"
DRIVER = SnowflakeDriver(URL)

RECORDED = [
    (390114, "08001", "Authentication token has expired.", TransientError),
    (390111, "08001", "Session no longer exists. New login required.", TransientError),
    (390195, "08001", "The token has expired.", TransientError),
    (250001, "08001", "Failed to connect to DB: acc: no answer", TransientError),
    (250002, "08003", "Connection is closed", TransientError),
    (625, "57014", "Statement was aborted because the lock has 20 waiters", None),
    (630, "57014", "Statement reached its timeout of 1 second(s)", TransientError),
    (609, "57P03", "Warehouse 'W' cannot be resumed", TransientError),
    (391920, "0A000", "Too many concurrent requests", TransientError),
    (603, "XX000", "SQL execution internal error", TransientError),
    (370001, "XX000", "Internal error. Please contact support", TransientError),
    (390100, "08001", "Incorrect username or password was specified.", FatalError),
    (394304, "08001", "JWT token is invalid.", FatalError),
    (250001, "08001", "Failed to connect: Incorrect username", FatalError),
    (606, "57P03", "No active warehouse selected in the current session.", FatalError),
    (90105, "22000", "This session does not have a current database.", FatalError),
    (2003, "42S02", "Object 'DB.S.\"order\"' does not exist", TableError),
    (
        904,
        "42000",
        "error line 1 at position 7\ninvalid identifier '\"a\"'",
        TableError,
    ),
    (3001, "42501", "Insufficient privileges to operate on table 'X'", TableError),
    (2002, "42710", "Object '_eds_rows' already exists.", TableError),
    (100072, "22000", "NULL result in a non-nullable column", TableError),
    (100038, "22018", "Numeric value 'Jane' is not recognized", RejectedError),
    (100035, "22007", "Timestamp 'Jane' is not recognized", RejectedError),
    (100040, "22007", "Date 'Jane' is not recognized", RejectedError),
    (
        100078,
        "22000",
        "String 'Jane' is too long and would be truncated",
        RejectedError,
    ),
    (100132, "22000", "JavaScript: Jane", RejectedError),
    (100090, "42P18", "Duplicate row detected during DML action\nJane", RejectedError),
]


def decided(error):
    return decide(DRIVER.read_fault(error), DRIVER.answers)


@pytest.mark.parametrize(("number", "state", "text", "answer"), RECORDED)
def test_each_number_has_its_answer(number, state, text, answer):
    found = decided(errors.ProgrammingError(msg=text, errno=number, sqlstate=state))

    assert type(found) is (answer or TransientError)
    assert "Jane" not in f"{found} {found.advice} {getattr(found, 'signature', '')}"


def test_what_has_no_number_is_the_connection():
    assert isinstance(decided(errors.OperationalError("no answer")), TransientError)
    assert isinstance(decided(errors.InterfaceError("cut off")), TransientError)


def test_what_nobody_knows_stops():
    error = errors.ProgrammingError("odd", errno=999_999, sqlstate="99999")

    assert isinstance(decided(error), FatalError)


def test_the_same_fault_on_other_values_has_the_same_signature():
    text = "String '{}' is too long and would be truncated"
    one, two = (
        decided(errors.ProgrammingError(text.format(name), errno=100078))
        for name in ("Jane", "it''s")
    )

    assert one.signature == two.signature


def test_a_missing_warehouse_is_told_with_the_grant():
    error = errors.ProgrammingError("No active warehouse", errno=606, sqlstate="57P03")

    assert "GRANT USAGE ON WAREHOUSE W TO ROLE R" in decided(error).advice


def test_a_missing_privilege_is_told_with_the_grant():
    error = errors.ProgrammingError("Insufficient privileges", errno=3001)

    assert "GRANT CREATE TABLE, CREATE STAGE ON SCHEMA DB.S" in decided(error).advice
