"""The soak notices what it looks for, and its load is what it says."""

import asyncio
import importlib
import sys
from itertools import islice
from pathlib import Path

import pytest

from eds_core.sandbox import Sandbox, fold

TOP = Path(__file__).parents[2]
NOTHING_WRONG = {
    "unequal": [],
    "quarantined": 0,
    "parked": 0,
    "tracebacks": 0,
    "longest life": {"descriptors are flat": True, "memory is flat": True},
}


@pytest.fixture(autouse=True)
def _top(monkeypatch):
    monkeypatch.syspath_prepend(TOP)
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] == "bench"]:
        del sys.modules[name]


def life(memory, descriptors):
    watch = importlib.import_module("bench.watch")
    pairs = zip(memory, descriptors, strict=True)
    samples = [watch.Sample(at, *pair) for at, pair in enumerate(pairs)]
    return watch.Life(1, samples).figures()


def test_a_process_that_grows_is_not_flat():
    growing = life([100 + n for n in range(100)], [20 + n for n in range(100)])

    assert growing["RSS MiB"] == [104.5, 149.5, 194.5]
    assert growing["descriptors at most"] == 119
    assert not growing["memory is flat"]
    assert not growing["descriptors are flat"]


def test_a_process_that_warms_up_and_breathes_is_flat():
    warm = life([60] * 10 + [100, 110] * 45, [20] * 10 + [20, 23] * 45)

    assert warm["memory is flat"]
    assert warm["descriptors are flat"]


def problems(figures, *, spare):
    return importlib.import_module("bench.soak").problems(
        NOTHING_WRONG | figures, "what it said", spare=spare
    )


@pytest.mark.parametrize("what", ["quarantined", "parked", "tracebacks"])
def test_what_could_not_be_written_fails_a_soak(what):
    (problem,) = problems({what: 2}, spare=False)

    assert problem == f"2 {what}: what it said"


def test_a_table_that_differs_fails_a_soak():
    assert problems({}, spare=True) == []
    assert problems({"unequal": ["order"]}, spare=True) == ["order"]


@pytest.mark.parametrize("spare", [False, True])
def test_memory_fails_a_soak_only_where_the_process_lives_on(spare):
    grown = {"descriptors are flat": True, "memory is flat": False}
    found = problems({"longest life": grown}, spare=spare)

    assert found == ["not so: memory is flat"] * spare


def test_what_a_load_expects_is_the_fold_of_all_its_days(tmp_path, monkeypatch):
    events = importlib.import_module("bench.events")
    load = importlib.import_module("bench.load")
    monkeypatch.setattr(load, "DAY", 300)
    day = list(islice(events.generate(3), load.DAY))
    lived = list(islice(load._days(day), 1000))

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            shop = load.Load(sandbox, seed=3)
            await shop.publish(1000)
            return shop

    shop = asyncio.run(scenario())
    versions = [events.version_of(event) for event in lived]

    assert versions == sorted(versions)
    assert len({event.id for event in lived}) == 1000  # or NATS drops some
    assert shop.sequence == shop.count == 1000
    assert shop.expected() == fold(lived)
