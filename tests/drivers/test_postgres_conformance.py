"""PostgreSQL keeps the contract."""

from __future__ import annotations

from typing import ClassVar

import pytest

from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance, replaced


@pytest.fixture(scope="class")
def destination_url(postgres):
    postgres.start()
    return postgres.new_database()


ROUNDED = replaced("rounded to microseconds", "2024-02-29T12:00:00.123457")


class TestPostgres(DriverConformance):
    scheme, server = "postgresql", "postgres"
    read_as: ClassVar = {ColumnType.JSON: "{}::text"}
    values: ClassVar = {
        "text: NUL": replaced("NUL is taken out, and the log says so", "bc"),
        "decimal: not a number": replaced("stored as the NaN of `numeric`", "NaN"),
        **{
            f"{kind}: {digits} digits": ROUNDED
            for kind in ("timestamp", "datetime")
            for digits in (7, 8, 9)
        },
    }
