"""What a file that one process locks means."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eds_core.errors import TransientError
from eds_driver_duckdb import DuckdbDriver

HOLDS = """
import sys
from eds_driver_duckdb import DuckdbDriver
driver = DuckdbDriver(sys.argv[1])
driver.open()
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def url(tmp_path):
    return f"duckdb:///{tmp_path / 'shop.duckdb'}"


def test_a_file_that_another_process_has_open_is_waited_for(url):
    command = [sys.executable, "-c", HOLDS, url]
    driver = DuckdbDriver(url)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(TransientError, match="lock"):
            driver.open()
        other.communicate("end\n", timeout=60)

    driver.open()
    driver.close()


def test_a_dry_run_makes_no_file(url, tmp_path):
    driver = DuckdbDriver(url)
    driver.read_only = True
    driver.open()

    assert driver.ledger.checkpoints() == {}
    assert driver.columns("order") == {}
    driver.close()
    assert list(tmp_path.iterdir()) == []


def test_memory_is_a_destination_for_a_try():
    driver = DuckdbDriver("duckdb:///:memory:")
    driver.open()
    driver.ledger.create()

    assert driver.ledger.checkpoints() == {}
    driver.close()
