"""What the hooks note costs the stream one step; the sums are right."""

import weakref
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.errors import TableError, TransientError
from eds_core.event import Message
from eds_core.health.histogram import Histogram
from eds_core.health.meter import MOST_TABLES, OTHERS, Meter
from eds_core.ledger import Quarantined, TableStatus
from eds_core.plugins import BatchReport

BOUNDS = (0.5, 1, 10)


def report(events=1, rows=None, latencies=(), tables=None, seconds=0.1):
    return BatchReport(
        events=events,
        bytes=0,
        seconds=seconds,
        rows=rows or {},
        quarantined=0,
        latencies=latencies,
        tables=tables or {},
    )


def entry(table):
    message = Message("s", b"", {}, 1, 1, "c")
    return Quarantined("1", "c", table, "e", message, "bad")


@given(st.lists(st.lists(st.sampled_from([0, 0.5, 0.7, 1, 3, 10, 11]))))
def test_a_histogram_counts_as_one_would_by_hand(parts):
    histogram = Histogram(BOUNDS)

    for part in parts:
        histogram.add(sorted(part))

    values = sorted(value for part in parts for value in part)
    by_hand = [bisect_right(values, bound) for bound in BOUNDS]
    assert histogram.cumulated() == [
        *zip(("0.5", "1.0", "10.0"), by_hand, strict=True),
        ("+Inf", len(values)),
    ]
    assert histogram.sum == pytest.approx(sum(values))


class Untouched(tuple):
    """Latencies that the stream's thread must not look at."""

    __slots__ = ()

    def __iter__(self):
        raise AssertionError

    __getitem__ = __len__ = __iter__


def test_the_stream_only_hands_a_batch_over():
    meter = Meter()

    meter.batch_written(report(latencies=Untouched((1.0,))))

    with pytest.raises(AssertionError):  # whoever reads it does the work
        meter.read()


def test_readings_add_up_and_say_what_is_new():
    meter = Meter()
    meter.batch_written(report(2, {"order": 2}, (0.004, 0.3)))
    first, recent = meter.read()
    meter.batch_written(report(1, {"order": 1, "brand": 0}, (2.0,)))
    second, later = meter.read()

    assert (recent.events, recent.latencies) == (2, [0.004, 0.3])
    assert (later.events, later.latencies) == (1, [2.0])
    assert (first.events, second.events) == (2, 3)
    assert first.tables["order"].rows == 2  # what was read does not change
    assert second.tables["order"].rows == 3
    assert second.latency.cumulated()[0] == ("0.005", 1)
    assert second.latency.cumulated()[-1] == ("+Inf", 3)
    assert second.flush_count.cumulated()[0] == ("1.0", 1)
    assert second.flush_seconds.cumulated()[-1] == ("+Inf", 2)


def test_an_event_from_the_future_has_come_at_once():
    meter = Meter()
    meter.batch_written(report(1, {}, (-5.0,)))

    totals, recent = meter.read()

    assert recent.latencies == [0.0]
    assert totals.latency.sum == 0.0


def test_a_tables_newest_event_never_gets_older():
    meter = Meter()
    for company, time, lag in (("a", 20, 0.5), ("b", 10, 0.7)):
        status = TableStatus("order", company, last_event=time, lag=lag)
        meter.batch_written(report(tables={("order", company): status}))
    parked = TableStatus("order", "a", state="parked")
    meter.batch_written(report(tables={("order", "a"): parked}))

    table = meter.read()[0].tables["order"]

    assert (table.last_event, table.delay) == (20, 0.7)


def test_failures_are_counted_by_kind_and_quarantine_by_table():
    meter = Meter()
    meter.batch_failed(TransientError("gone"))
    meter.batch_failed(TransientError("gone"))
    meter.batch_failed(TableError("no right", table="_eds_checkpoint"))
    meter.quarantined([entry("order"), entry("order"), entry("brand")])

    totals, _ = meter.read()

    assert totals.retries == {"outage": 2, "own_tables": 1}
    assert totals.quarantined == {"order": 2, "brand": 1}


def test_names_from_outside_cannot_fill_the_memory():
    meter = Meter()
    names = [f"t{number}" for number in range(2 * MOST_TABLES)]
    meter.batch_written(report(rows=dict.fromkeys(names, 1)))
    meter.quarantined([entry(name) for name in names])

    totals, _ = meter.read()

    assert len(totals.tables) == len(totals.quarantined) == MOST_TABLES + 1
    assert totals.tables[OTHERS].rows == totals.quarantined[OTHERS] == MOST_TABLES


def test_a_failure_is_not_kept_with_all_that_it_holds():
    """An exception keeps its batch, by way of its traceback."""
    meter, error = Meter(), TransientError("gone")
    kept = weakref.ref(error)
    meter.batch_failed(error)

    del error

    assert kept() is None
