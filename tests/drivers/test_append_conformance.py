"""A driver that only appends keeps the contract, as far as there can be one."""

from __future__ import annotations

import pytest

from drivers.appended import LinesDriver
from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance


@pytest.fixture(scope="class")
def destination_url(tmp_path_factory):
    return f"lines://{tmp_path_factory.mktemp('lines')}"


class TestAppend(DriverConformance):
    driver = LinesDriver
    documented = False
    embedded = True

    stored_as = dict.fromkeys(ColumnType, "JSON")

    def fetch(self, driver, table):
        return [*driver.rows(table)]

    def drop(self, driver, table):
        driver.file(table.name).unlink(missing_ok=True)
