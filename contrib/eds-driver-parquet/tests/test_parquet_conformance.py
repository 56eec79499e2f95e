"""A lake, read back by the query of the README, keeps the contract of EDS."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import duckdb
import pytest

from eds_core.testing import DriverConformance, rejected, replaced
from eds_driver_parquet import latest
from eds_driver_parquet.files import TYPES

CUT = replaced("cut to microseconds", "2024-02-29T12:00:00.123456")
TOO_LONG = rejected("decimal128(38, 9) has 29 digits before the point")
MIXED = "what an older model lacks is read as NULL (README, What is weaker)"
SPELLED = "the older file has another type, and DuckDB's way to write it as text"


@pytest.fixture(scope="class")
def destination_url(tmp_path_factory):
    return f"file://{tmp_path_factory.mktemp('lake')}"


class TestParquet(DriverConformance):
    scheme = "file"
    documented = False  # the support matrix is of the five
    stored_as: ClassVar = {kind: str(arrow) for kind, arrow in TYPES.items()}
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
        "test_an_older_model_leaves_newer_columns_alone": MIXED,
        "add_a_column": MIXED,
        **{
            f"test_a_wider_type_keeps_every_value[{old} to text]": SPELLED
            for old in ("bytes", "decimal", "timestamp", "datetime")
        },
    }

    def fetch(self, driver, table):
        place = Path(driver.url.removeprefix("file://")) / table.name
        query = latest(f"{place}/*/*.parquet", table.key)
        with duckdb.connect() as connection:
            return connection.sql(query).to_arrow_table().to_pylist()

    def drop(self, driver, table):
        place = Path(driver.url.removeprefix("file://")) / table.name
        shutil.rmtree(place, ignore_errors=True)
