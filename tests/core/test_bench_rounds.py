"""The arithmetic of the benchmarks."""

import asyncio
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _top(monkeypatch):
    monkeypatch.syspath_prepend(TOP)
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] == "bench"]:
        del sys.modules[name]


@pytest.fixture
def rounds():
    return importlib.import_module("bench.rounds")


def test_ways_are_measured_in_turn(rounds):
    order = []

    def way(name):
        async def measured():
            order.append(name)
            return rounds.Run(1, len(order))

        return measured

    found = asyncio.run(rounds.paired(3, {"a": way("a"), "b": way("b")}))

    assert order == ["a", "b"] * 3
    assert [run.seconds for run in found["a"]] == [1, 3, 5]


def test_a_ratio_is_the_median_of_those_within_a_round(rounds):
    # The machine became ten times slower in the second round, for both.
    found = rounds.ratio([100, 10, 90], [50, 5, 30])

    assert found == {"median": 2.0, "each": [2.0, 2.0, 3.0]}


def test_rates_and_cpu_are_told_for_100_000(rounds):
    runs = [
        rounds.Run(50_000, 2.0, {"EDS": 1.0}, 80.0),
        rounds.Run(50_000, 1.0, {"EDS": 0.5}, 90.0),
        rounds.Run(50_000, 4.0, {"EDS": 3.0}, 100.0),
    ]

    assert rounds.summary(runs) == {
        "per second": 25_000,
        "CPU s/100k": {"EDS": 2.0},
        "each": [25_000, 50_000, 12_500],
        "peak RSS MiB": 90.0,
    }


def test_what_an_import_took_is_told_without_its_start(rounds):
    imports = importlib.import_module("bench.imports")
    start = rounds.Run(1, 1.0, {"EDS": 0.9, "database": 0.1}, 80.0)
    runs = imports.without_start(
        {
            imports.START_UP: [start],
            imports.EMPTY: [
                rounds.Run(100_000, 3.0, {"EDS": 2.9, "database": 1.1}, 120)
            ],
            imports.COPY: [rounds.Run(100_000, 1.0)],
            imports.UPDATED: [
                rounds.Run(100_000, 5.0, {"EDS": 3.9, "database": 2.1}, 1)
            ],
            imports.GUNZIP: [rounds.Run(100_000, 4.0)],
            imports.TWICE: [rounds.Run(200_000, 5.0, {"EDS": 4, "database": 3}, 126)],
        }
    )
    ratios = imports.ratios(runs)

    assert runs[imports.EMPTY][0].rate == 50_000
    assert runs[imports.EMPTY][0].cpu_per("EDS") == 2.0
    assert runs[imports.UPDATED][0].cpu_per("database") == 2.0
    assert {name: each["median"] for name, each in ratios.items()} == {
        "empty table / COPY": 0.5,
        "empty table / gzip -dc | wc -l": 2.0,
        "all updated / COPY": 0.25,
        "all updated / gzip -dc | wc -l": 1.0,
        "peak RSS, twice the rows": 1.05,
    }


@pytest.mark.parametrize(
    ("cpu", "seconds"),
    [
        ({"EDS": 3.0, "database": 0.5, "nats": 0.5}, 3.0),
        ({"EDS": 2.0, "database": 2.0, "nats": 1.0}, 2.5),
    ],
)
def test_the_cpu_budget_is_the_busiest_process_or_all_on_all_cores(
    rounds, cpu, seconds
):
    stream = importlib.import_module("bench.stream")

    assert stream.budget(rounds.Run(1, 9.0, cpu), cores=2) == seconds


def test_a_latency_is_compared_with_the_bare_upserts_of_its_round(rounds):
    latency = importlib.import_module("bench.latency")
    ratios = latency.ratios(
        {
            latency.BARE: [[0.001] * 3, [0.010] * 3],
            "50/s": [[0.002, 0.002, 0.009], [0.020, 0.020, 0.090]],
        }
    )

    assert ratios["50/s: p50 / bare upsert"] == {"median": 2.0, "each": [2.0, 2.0]}
    assert ratios["50/s: p99 / bare upsert"]["median"] == 9.0


CHILD = """
import time
end = time.process_time() + 0.3
while time.process_time() < end: pass
"""
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}])
print("done", flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("rounds")
def test_cpu_is_that_of_a_process_and_of_what_it_has_started():
    machine = importlib.import_module("bench.machine")
    command, pipe = [sys.executable, "-c", PARENT], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        process.stdout.readline()
        tree = machine.tree_cpu(process.pid)
        alone = machine.usage(process.pid).cpu
        process.stdin.close()

    assert tree >= 0.29
    assert tree - alone >= 0.25
