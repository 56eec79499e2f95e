import importlib
import sys
from itertools import islice
from pathlib import Path

import pytest

from eds_core.sandbox import fold

TOP = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _top(monkeypatch):
    monkeypatch.syspath_prepend(TOP)
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] == "bench"]:
        del sys.modules[name]


@pytest.fixture
def events():
    return importlib.import_module("bench.events")


def test_equal_seeds_give_equal_bytes(events):
    first, again = (
        [event.payload for event in islice(events.generate(7), 300)] for _ in range(2)
    )
    other = [event.payload for event in islice(events.generate(8), 300)]

    assert first == again
    assert first != other


def test_the_tables_are_those_of_the_shape(events):
    models = events.bench_models()

    assert sorted(len(model.columns) for model in models.values()) == [
        10, 14, 22, 27, 35, 41, 54, 70,
    ]  # fmt: skip
    assert sum(events.SHARES.values()) == 100


def test_a_row_is_inserted_before_it_is_changed(events):
    seen = set()
    for event in islice(events.generate(), 1000):
        row = event.table, event.key
        assert (event.operation == "INSERT") == (row not in seen)
        if event.operation == "DELETE":
            seen.discard(row)
        else:
            seen.add(row)


def test_updates_of_orders_have_rising_versions(events):
    some = list(islice(events.updates(1, 5, "order"), 20))
    versions = [events.version_of(event) for event in some]

    assert [event.operation for event in some] == ["INSERT"] * 5 + ["UPDATE"] * 15
    assert sorted(set(versions)) == versions


def test_the_check_tells_a_changed_value(events):
    check = importlib.import_module("bench.check")
    models = events.bench_models()
    state = fold(islice(events.generate(), 300))
    before = check.digest_of_state(state, models)
    row = next(iter(state["order"].values()))
    row["number"] = "changed"
    after = check.digest_of_state(state, models)

    assert {name for name in models if before[name] != after[name]} == {"order"}


def test_percentiles_are_of_the_values():
    report = importlib.import_module("bench.report")
    values = [float(n) for n in range(1, 101)]

    assert report.percentile(values, 0.5) == 50
    assert report.percentile(values, 0.99) == 99
    assert report.percentile(values, 1.0) == 100
