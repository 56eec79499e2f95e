"""What a file that one process locks means."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eds_core.errors import ConfigError, TransientError
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
        with pytest.raises(TransientError, match="lock") as caught:
            driver.open()
        assert caught.value.advice == "end the other program that has it open"
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


@pytest.mark.parametrize(
    "url",
    ["duckdb://eds:se-cret@host/shop", "duckdb://host/shop", "duckdb://:se-cret@/x"],
)
def test_a_url_that_names_a_server_is_refused_without_its_password(url):
    with pytest.raises(ConfigError, match="names no file") as caught:
        DuckdbDriver(url).open()

    assert "se-cret" not in str(caught.value)
    assert DuckdbDriver.example_url in caught.value.advice


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("place", "words"),
    [("nowhere/shop.duckdb", "there is no directory"), ("", "it is a directory")],
)
def test_where_no_file_can_be_is_told(tmp_path, place, words, read_only):
    driver = DuckdbDriver(f"duckdb:///{tmp_path / place}")
    driver.read_only = read_only

    with pytest.raises(ConfigError, match=words):
        driver.open()


def test_what_is_no_duckdb_is_the_users_to_see_to(url, tmp_path):
    (tmp_path / "shop.duckdb").write_text("something else")

    with pytest.raises(ConfigError, match="not a valid DuckDB") as caught:
        DuckdbDriver(url).open()

    assert "URL" in caught.value.advice
