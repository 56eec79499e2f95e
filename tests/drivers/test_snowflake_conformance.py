"""Snowflake keeps the contract: an account where one is given, else fakesnow."""

from __future__ import annotations

import os
from typing import ClassVar

import pytest

from drivers.conftest import StagedSnowflake
from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance, rejected, replaced
from eds_core.testing.layers.model import Model
from eds_core.testing.reading import canonical
from servers.snowflake import GIVEN_SNOWFLAKE, fakesnow_version


@pytest.fixture(scope="class")
def destination_url(snowflake):
    return snowflake.new_schema()


IS_FAKE = GIVEN_SNOWFLAKE not in os.environ

_UNIQUE = "Snowflake has no unique indexes"
_SESSION = "a session outlives its connections: Snowflake's connector makes a new one"
_TOO_LONG = rejected("has more than 20 digits before the point or 18 behind it")
_SIX = replaced(
    "fakesnow keeps six digits, Snowflake nine", "2024-02-29T12:00:00.123456"
)

#: Faults of the stand-in: a Snowflake account must not fail there.
FAKE_SKIPS = {
    "test_a_wider_type_keeps_every_value[datetime to text]": (
        "fakesnow forgets the format where a time has no zone"
    ),
    "test_a_generated_column_is_left_to_the_database": (
        "fakesnow describes a column's expression as its default"
    ),
    "test_a_database_that_does_not_exist_is_the_users_to_change": (
        "fakesnow makes each database that somebody asks for"
    ),
}
FAKE_VALUES = {
    "json: a number that no double holds": replaced(
        "fakesnow makes a double of it, Snowflake keeps 38 digits",
        canonical('{"n":12345678901234567000}', ColumnType.JSON),
    ),
    **{
        f"{kind}: {digits} digits": _SIX
        for kind in ("timestamp", "datetime")
        for digits in (7, 8, 9)
    },
}


class Snowflake:
    """What both suites have to know; fakesnow is slow, and the tests are many."""

    max_examples = 3
    slowness = 100
    read_as: ClassVar = {
        # As a datetime, the connector gives six digits of a second.
        ColumnType.TIMESTAMP: (
            "TO_VARCHAR(CONVERT_TIMEZONE('UTC', {}), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')"
        ),
        ColumnType.DATETIME: "TO_VARCHAR({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')",
    }

    def database(self, driver):
        if IS_FAKE:
            return f"fakesnow {fakesnow_version()}, a stand-in: no account"
        ((version,),) = driver._rows("SELECT CURRENT_VERSION()")
        return f"Snowflake {version}"

    def drop(self, driver, table):
        """In one statement: there are more than a hundred."""
        place = driver.session.quote_table(table.name)
        with driver.session.reading() as connection:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {place}")


class TestSnowflake(Snowflake, DriverConformance):
    scheme = "snowflake"
    generated = "{name} {type} AS ({of} + 1)"
    refused_widenings: ClassVar = {
        "number to decimal": "Snowflake shows 15 digits of a double, and it has more"
    }
    skips: ClassVar = {
        "test_a_savepoint_undoes_only_what_is_inside": (
            "Snowflake has no savepoints; a verb writes all of its rows or none"
        ),
        "test_a_users_own_unique_index_rejects_the_row_and_no_other": _UNIQUE,
        "test_a_unique_value_that_moves_between_rows_goes_in_order": _UNIQUE,
        "test_a_table_without_a_key_is_refused_with_the_remedy": (
            "Snowflake enforces no key, so none is asked for"
        ),
        "test_a_surrogate_primary_key_beside_a_unique_key_will_do": (
            "a declared primary key that is another one is taken at its word"
        ),
        "test_a_connection_cut_in_a_transaction_is_transient_and_open_heals_it": (
            _SESSION
        ),
        "test_a_bulk_load_that_breaks_is_completed_when_repeated": _SESSION,
        **(FAKE_SKIPS if IS_FAKE else {}),
    }
    values: ClassVar = {
        "text: NUL": replaced("NUL is taken out, and the log says so", "bc"),
        **{
            f"decimal: {name}{form}": _TOO_LONG
            for name in ("38 digits", "38 digits, 9 of them behind the point")
            for form in ("", ", as text")
        },
        **(FAKE_VALUES if IS_FAKE else {}),
    }


class TestStaged(Snowflake, Model):
    """Through a file, rows are what they are through a parameter."""

    driver = StagedSnowflake
    max_examples = 2
    documented = False
