"""Each benchmark, in small: it runs, and its ratios are those of its runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import servers
from servers.mysql import mysql_program

TOP = Path(__file__).parents[2]
NO_POSTGRES = pytest.mark.skipif(
    servers.postgres_programs() is None, reason=servers.NO_POSTGRES
)
NO_MARIADB = pytest.mark.skipif(
    mysql_program("mariadb") is None, reason=servers.NO_MARIADB
)
SERVERS = {"EDS", "database", "nats"}
STREAM = ["stream", "--events", "400", "--naive-events", "60"]
VERBS = (
    "insert",
    "insert, with the checkpoint",
    "update",
    "delete",
    "bulk_load",
)
TWO = "insert, two connections"
DRIVER = ["driver", "--rows", "300", "--batch", "1,100"]


def measure(tmp_path, *command):
    """Run a benchmark of one round; return what it has written."""
    file = tmp_path / "figures.json"
    given = [sys.executable, "-m", "bench", *command, "--runs", "1", "--json", file]
    done = subprocess.run(given, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    found = json.loads(file.read_text())
    assert found["benchmark"] == command[0]
    assert {"cores", "load", "python", "system"} == found["machine"].keys()
    assert found["options"]["runs"] == 1
    return found["figures"]


def rate(figures, way):
    (found,) = figures["runs"][way]["each"]
    return found


def told(figures, ratio):
    return figures["ratios"][ratio]["median"]


def about(number):
    return pytest.approx(number, rel=0.02)  # three digits of each are told


@pytest.mark.parametrize(
    ("database", "gzip_share", "processes"),
    [
        pytest.param("postgresql", "0", SERVERS, marks=NO_POSTGRES),
        pytest.param("mariadb", "1", SERVERS, marks=NO_MARIADB),
        ("sqlite", "0.5", SERVERS - {"database"}),
    ],
)
def test_the_stream_is_compared_with_all_its_yardsticks(
    tmp_path, database, gzip_share, processes
):
    options = ["--database", database, "--gzip-share", gzip_share]
    figures = measure(tmp_path, *STREAM, *options)

    eds = rate(figures, "EDS")
    assert figures["equal to the replay"]
    assert figures["rows touched"] > 0
    for other in ("one at a time", "bare socket"):
        assert told(figures, f"EDS / {other}") == about(eds / rate(figures, other))
    assert told(figures, "CPU of EDS / json.loads") > 0
    assert told(figures, "time of COPY / of EDS") > 0
    assert told(figures, "wall / CPU budget") > 0
    assert figures["runs"]["EDS"]["CPU s/100k"].keys() == processes
    assert figures["runs"]["EDS"]["peak RSS MiB"] > 1


@NO_POSTGRES
def test_latency_is_told_at_each_rate(tmp_path):
    figures = measure(tmp_path, "latency", "--rate", "20,50", "--seconds", "1")

    bare = figures["ms"]["bare upsert"]["p50"]
    for way in ("20/s", "50/s"):
        p50, p99 = (figures["ms"][way][name] for name in ("p50", "p99"))
        assert p50 <= p99
        assert told(figures, f"{way}: p50 / bare upsert") == about(p50 / bare)


@NO_POSTGRES
def test_an_import_is_compared_with_copy(tmp_path):
    figures = measure(tmp_path, "import", "--rows", "60", "--files", "2")

    for table in ("order", "core_charge"):
        copied = rate(figures, f"{table}: COPY")
        for road in ("empty table", "all updated"):
            found = rate(figures, f"{table}: {road}")
            assert told(figures, f"{table}: {road} / COPY") == about(found / copied)
            assert figures["runs"][f"{table}: {road}"]["peak RSS MiB"] > 1
        assert told(figures, f"{table}: peak RSS, twice the rows") > 0
    one, two = "all tables, --jobs 1", "all tables, --jobs 2"
    expected = rate(figures, two) / rate(figures, one)
    assert told(figures, f"{two} / {one}") == about(expected)


@pytest.mark.parametrize(
    "database",
    [
        pytest.param("postgresql", marks=NO_POSTGRES),
        pytest.param("mariadb", marks=NO_MARIADB),
        "sqlite",
    ],
)
def test_each_verb_of_a_driver_is_measured_by_the_size_of_its_batch(tmp_path, database):
    figures = measure(tmp_path, *DRIVER, "--database", database)

    for verb in VERBS:
        for size, other in ((1, "bare upserts"), (100, "COPY")):
            expected = rate(figures, f"{verb}, {size}") / rate(figures, other)
            assert told(figures, f"{verb}, {size} / {other}") == about(expected)
    expected = rate(figures, f"{TWO}, 100") / rate(figures, "insert, 100")
    assert told(figures, f"{TWO}, 100 / one") == about(expected)


def test_bounds_are_changed_one_by_one(tmp_path):
    options = ["--database", "sqlite", "--events", "300"]
    figures = measure(tmp_path, "tuning", *options)

    assert figures["equal to the replay"]
    assert len(figures["runs"]) == len(figures["ratios"]) + 1
    for name, found in figures["ratios"].items():
        way, _, other = name.partition(" / ")
        assert found["median"] == about(rate(figures, way) / rate(figures, other))


@NO_POSTGRES
def test_each_promise_is_left_out_once(tmp_path):
    figures = measure(tmp_path, "costs", "--events", "300")

    assert figures["equal to the replay"]
    assert figures["ratios"].keys() == {
        "without the guard of versions / as it is",
        "without a look at tombstones / as it is",
        "without the check of keys / as it is",
    }


def test_one_process_is_compared_with_two(tmp_path):
    options = ["--database", "sqlite", "--companies", "2", "--events", "200"]
    figures = measure(tmp_path, "companies", *options)

    expected = rate(figures, "2 processes") / rate(figures, "1 process")
    assert told(figures, "2 processes / 1 process") == about(expected)
    assert figures["runs"]["2 processes"]["peak RSS MiB"] > 1


@NO_POSTGRES
def test_a_start_is_measured_until_the_server_is_ready(tmp_path):
    figures = measure(tmp_path, "start")

    for way in ("eds --help", "server, sqlite", "server, postgresql"):
        found = figures["seconds"][way]
        assert 0 < found["less the wait for a core"] <= found["in all"]
        assert found["CPU"] > 0
        assert told(figures, f"{way} / python -c pass") > 1


@NO_POSTGRES
def test_each_stage_is_measured_alone(tmp_path):
    command = [sys.executable, "-m", "bench", "stages", "--events", "300"]
    done = subprocess.run(
        [*command, "--runs", "1"], cwd=TOP, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    for stage in ("consume", "decode", "coalesce", "write"):
        assert f"{stage}: " in done.stdout
