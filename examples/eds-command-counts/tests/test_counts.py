from __future__ import annotations

import json
import subprocess
import sys

import pytest

from eds_core.destination import open_destination
from eds_core.event import Row, Version
from eds_core.ledger import TableStatus
from eds_core.schema import Column, ColumnType, TableSchema


@pytest.fixture(scope="module")
def environment(installed):
    return installed("eds-command-counts")


def eds(environment, *arguments):
    command = [sys.executable, "-m", "eds_core", *arguments]
    return subprocess.run(
        command,
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def url(tmp_path):
    """A database with two orders, as EDS leaves it."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    table = TableSchema("order", "1", (Column("id", ColumnType.TEXT),), ("id",))
    rows = [
        Row((key,), Version(1), json.dumps({"id": key}).encode()) for key in ("a", "b")
    ]
    destination = open_destination(url)
    destination.ledger.create()
    destination.prepare(table)
    with destination.transaction():
        destination.upsert(table, rows)
        status = TableStatus("order", "company")
        destination.ledger.report({("order", "company"): status})
    destination.close()
    return url


def test_the_command_counts_the_rows_of_each_table(environment, url):
    done = eds(environment, "counts", url)

    assert (done.returncode, done.stdout) == (0, f"{2:>12,}  order\n"), done.stderr


def test_the_command_is_listed(environment):
    assert "counts" in eds(environment, "--help").stdout


def test_an_error_is_told_as_those_of_eds(environment):
    done = eds(environment, "counts", "nosuch://x")

    assert done.returncode == 2
    assert "no driver for nosuch://" in done.stderr
