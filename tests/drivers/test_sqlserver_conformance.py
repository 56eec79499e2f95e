"""SQL Server keeps the contract: on a real one, and as far as can be seen without."""

from __future__ import annotations

from typing import ClassVar

import pytest

from drivers.sqlserver import with_driver
from eds_core.errors import RejectedError
from eds_core.event import Row, Version
from eds_core.repair import repair
from eds_core.schema import ColumnType
from eds_core.sql.tables import match
from eds_core.testing import DriverConformance, Outcome, rejected, replaced
from eds_core.testing.matrix import CASES
from eds_core.testing.shop import table_of
from eds_driver_sqlserver import SqlServerDriver, address
from eds_driver_sqlserver.payload import Payload


@pytest.fixture(scope="class")
def destination_url(sqlserver):
    yield sqlserver.new_database()
    sqlserver.drop_databases()


_IN_DIGITS = (
    "moments are written with seven digits, doubles with seventeen, and no decimal has "
    "20 digits before the point; a test of its own asks for what it does"
)
_TOO_LONG = rejected("more than 19 digits before the point")
_CUT = replaced("digits behind the seventh are cut off", "2024-02-29T12:00:00.1234567")


class TestSqlServer(DriverConformance):
    scheme = "sqlserver"
    generated = "{name} AS ({of} + 1)"
    read_as: ClassVar = {  # Python's own moments have six digits
        ColumnType.TIMESTAMP: "CONVERT(nvarchar(40), {}, 121)",
        ColumnType.DATETIME: "CONVERT(nvarchar(40), {}, 121)",
    }
    refused_keys: ClassVar = {"a ": "it would be equal to the key without the space"}
    skips: ClassVar = {
        "test_a_wider_type_keeps_every_value": _IN_DIGITS,
    }
    values: ClassVar = {
        "text: NUL": replaced("NUL is taken out, and the log says so", "bc"),
        "number: the smallest double": rejected("SQL Server has none below 2.23E-308"),
        **{
            f"decimal: {name}{written}": _TOO_LONG
            for name in ("38 digits", "38 digits, 9 of them behind the point")
            for written in ("", ", as text")
        },
        **{
            f"{kind}: {digits} digits": _CUT
            for kind in ("timestamp", "datetime")
            for digits in (8, 9)
        },
    }

    def address(self, url):
        """None for a named instance: only the server knows its port."""
        found = address.read(url)
        return None if found.port is None else (found.host, found.port)

    def redirected(self, url, host, port):
        return with_driver(super().redirected(url, host, port))


class TestWithoutServer:
    """What the kit's values become until they are sent: the declarations are true."""

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
    def test_a_value_is_sent_or_rejected_as_it_is_declared(self, case):
        driver = SqlServerDriver(SqlServerDriver.example_url)
        table = table_of("thing", a=case.kind)
        target = match(table, driver.as_made(table))
        declared = TestSqlServer.values.get(case.label)
        expected = case.expected if declared is None else declared.outcome
        row = Row(("x",), Version(1), f'{{"id":"x","a":{case.token}}}'.encode())

        assert was_sent(target, row, table) is (expected is not Outcome.REJECTED)


def was_sent(target, row, table):
    """As the server does: the row as it came, or repaired, or not at all."""
    for each in (row, (repair(row, table, table.types) or [None])[0]):
        try:
            return each is not None and bool(list(Payload(target).rows([each])))
        except RejectedError:
            continue
    return False
