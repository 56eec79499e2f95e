"""The driver without SQL keeps the contract: what a third party's test looks like."""

from __future__ import annotations

from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance, MemoryDriver


class TestMemory(DriverConformance):
    driver = MemoryDriver
    documented = False
    url = "memory://conformance"
    embedded = True
    shrinks = True

    stored_as = dict.fromkeys(ColumnType, "a Python value")

    def fetch(self, driver, table):
        return driver.rows(table.name)

    def drop(self, driver, table):
        driver.drop(table.name)
