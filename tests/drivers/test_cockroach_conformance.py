"""CockroachDB keeps the contract: a real one where it is given, else its stand-in."""

from __future__ import annotations

import os
from typing import ClassVar

import pytest

from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance, replaced


@pytest.fixture(scope="class")
def destination_url(cockroach):
    return cockroach.new_database()


ROUNDED = replaced("rounded to microseconds", "2024-02-29T12:00:00.123457")


#: PostgreSQL, behind the stand-in, takes no NUL; CockroachDB does.
STAND_INS = (
    {}
    if os.environ.get("EDS_TEST_COCKROACH_URL")
    else {"text: NUL": replaced("taken out by the stand-in's PostgreSQL", "bc")}
)


class TestCockroach(DriverConformance):
    scheme, server = "cockroachdb", "cockroach"
    read_as: ClassVar = {ColumnType.JSON: "{}::text"}
    max_examples = 15
    values: ClassVar = {
        "decimal: not a number": replaced("stored as the NaN of `DECIMAL`", "NaN"),
        **STAND_INS,
        **{
            f"{kind}: {digits} digits": ROUNDED
            for kind in ("timestamp", "datetime")
            for digits in (7, 8, 9)
        },
    }

    def database(self, driver):
        real = super().database(driver)
        given = "EDS_TEST_COCKROACH_URL" in os.environ
        return real if given else "a stand-in on PostgreSQL, never the real one"
