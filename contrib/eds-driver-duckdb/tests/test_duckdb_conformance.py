"""DuckDB keeps the contract, but for what its README names."""

from __future__ import annotations

from typing import ClassVar

import pytest

from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance, rejected, replaced

CUT = replaced("cut to microseconds", "2024-02-29T12:00:00.123456")
NO_SAVEPOINTS = "DuckDB has no savepoints, and an error ends its transaction"
TOO_LONG = rejected("DECIMAL(38,9) has 29 digits before the point")


@pytest.fixture(scope="class")
def destination_url(tmp_path_factory):
    return f"duckdb:///{tmp_path_factory.mktemp('conformance') / 'shop.duckdb'}"


class TestDuckdb(DriverConformance):
    scheme = "duckdb"
    documented = False  # the support matrix is of the five
    generated = "{name} {type} GENERATED ALWAYS AS ({of} + 1)"
    read_as: ClassVar = {ColumnType.JSON: "{}::VARCHAR"}
    refused_widenings: ClassVar = {"number to decimal": "9 digits are not enough"}
    values: ClassVar = {
        "decimal: 38 digits": TOO_LONG,
        "decimal: 38 digits, as text": TOO_LONG,
        **{
            f"{kind}: {digits} digits": CUT
            for kind in ("timestamp", "datetime")
            for digits in (7, 8, 9)
        },
    }
    skips: ClassVar = {
        "test_a_savepoint_undoes_only_what_is_inside": NO_SAVEPOINTS,
        "test_a_users_own_unique_index_rejects_the_row_and_no_other": NO_SAVEPOINTS,
        "test_a_unique_value_that_moves_between_rows_goes_in_order": NO_SAVEPOINTS,
        "test_a_table_of_an_old_server_is_adopted": "no old server wrote to DuckDB",
    }
