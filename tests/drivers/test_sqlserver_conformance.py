"""SQL Server keeps the contract: on a real one, where there is one to be had."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from eds_core.schema import ColumnType
from eds_core.testing import DriverConformance


@pytest.fixture(scope="class")
def destination_url(sqlserver):
    yield sqlserver.new_database()
    sqlserver.drop_databases()


class TestSqlserver(DriverConformance):
    scheme = server = "sqlserver"
    golden = Path(__file__).parent / "golden" / "kit"
    generated = "{name} AS ({of} + 1)"
    read_as: ClassVar = {
        ColumnType.TIMESTAMP: "CONVERT(nvarchar(40), {}, 127)",
        ColumnType.DATETIME: "CONVERT(nvarchar(40), {}, 127)",
    }
    refused_keys: ClassVar = {"a ": "keys are padded with spaces when compared"}
