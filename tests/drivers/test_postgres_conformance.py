"""PostgreSQL keeps the contract."""

from __future__ import annotations

from typing import ClassVar

import pytest

from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance, replaced


@pytest.fixture(scope="class")
def destination_url(request):
    server = request.getfixturevalue(request.cls.lent_by)
    server.start()
    return server.new_database()


ROUNDED = replaced("rounded to microseconds", "2024-02-29T12:00:00.123457")


class TestPostgres(DriverConformance):
    lent_by = "postgres"
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


class TestNewestPostgres(TestPostgres):
    lent_by = "newest_postgres"
    documented = False  # it is the same driver
    max_examples = 10

    @classmethod
    def title(cls):
        return "postgres"  # its SQL is the same
