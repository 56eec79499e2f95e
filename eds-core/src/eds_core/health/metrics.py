"""A snapshot as Prometheus reads it. ``docs/operations.md`` has a line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest

from .histogram import Histogram
from .meter import Totals
from .snapshot import Snapshot, View

CONTENT_TYPE = CONTENT_TYPE_LATEST
_WHERE = "destination"


def _is_up(view: View, _now: float) -> bool:
    return view.state.streaming and view.state.trouble is None


def _parked(view: View) -> set[str]:
    """The tables that are left out, of whatever company."""
    return {entry.table for entry in view.state.parked}


#: What is read off for each destination: how, at a time of day, and its name.
_GAUGES: Sequence[tuple[Callable[[View, float], float], str, str]] = (
    (
        lambda view, _: view.state.fetched,
        "eds_pending_events",
        "Events here that are not yet committed",
    ),
    (
        lambda view, _: view.behind,
        "eds_lag_events",
        "Events not yet committed, here and in the stream",
    ),
    (View.lag, "eds_lag_seconds", "Age of the oldest event not yet committed"),
    (_is_up, "eds_destination_up", "1 when the destination can be written to"),
    (
        lambda view, _: not view.state.nats,
        "eds_nats_connected",
        "1 while there is a connection to NATS",
    ),
    (
        lambda view, _: view.state.companies,
        "eds_companies",
        "Companies that this server writes",
    ),
    (
        lambda view, _: len(_parked(view)),
        "eds_parked_tables",
        "Tables that are left out until their cause is mended",
    ),
)

_HISTOGRAMS: Sequence[tuple[Callable[[Totals], Histogram], str, str]] = (
    (
        lambda totals: totals.latency,
        "eds_latency_seconds",
        "Time from publishing to commit, of each event",
    ),
    (
        lambda totals: totals.processing,
        "eds_processing_duration_seconds",
        "Time from publishing to commit, in the steps of earlier servers",
    ),
    (
        lambda totals: totals.flush_seconds,
        "eds_flush_duration_seconds",
        "Time that a transaction took",
    ),
    (lambda totals: totals.flush_count, "eds_flush_count", "Events in a transaction"),
)


def render(snapshot: Snapshot) -> bytes:
    """The text of a scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(snapshot))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collector:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        views = self._snapshot.views
        yield from self._of_all()
        for value, name, text in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=[_WHERE])
            for view in views:
                gauge.add_metric([view.name], float(value(view, self._snapshot.at)))
            yield gauge
        for histogram, name, text in _HISTOGRAMS:
            family = HistogramMetricFamily(name, text, labels=[_WHERE])
            for view in views:
                found = histogram(view.totals)
                family.add_metric([view.name], found.cumulated(), found.sum)
            yield family
        yield _total_events(views)
        yield from _tables(views)
        yield from _counters(views)

    def _of_all(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("eds_ready", "1 when every destination is kept up")
        ready.add_metric([], not self._snapshot.reasons)
        yield ready
        build = GaugeMetricFamily("eds_build_info", "Always 1", labels=["version"])
        build.add_metric([version("eds-core")], 1)
        yield build
        yield GaugeMetricFamily(
            "eds_credentials_expire_timestamp_seconds",
            "When the credentials expire, seconds since 1970; +Inf: never",
            self._snapshot.expires,
        )


def _total_events(views: Iterable[View]) -> Metric:
    """A counter in all but its type: those have names that end in ``_total``."""
    family = Metric("eds_total_events", "Events committed or quarantined", "unknown")
    for view in views:
        value = view.totals.events
        family.add_sample("eds_total_events", {_WHERE: view.name}, value)
    return family


def _tables(views: Iterable[View]) -> Iterator[Metric]:
    labels = [_WHERE, "table"]
    rows = CounterMetricFamily(
        "eds_table_rows", "Rows written and deleted", labels=labels
    )
    newest = GaugeMetricFamily(
        "eds_table_last_event_timestamp_seconds",
        "When the newest event that was committed was published",
        labels=labels,
    )
    delay = GaugeMetricFamily(
        "eds_table_latency_seconds",
        "Time from publishing to commit, at the last commit",
        labels=labels,
    )
    parked = GaugeMetricFamily(
        "eds_table_parked", "1 for each table that is left out", labels=labels
    )
    for view in views:
        for name, table in view.totals.tables.items():
            rows.add_metric([view.name, name], table.rows)
            if table.last_event:
                newest.add_metric([view.name, name], table.last_event / 1e9)
                delay.add_metric([view.name, name], table.delay)
        for name in sorted(_parked(view)):
            parked.add_metric([view.name, name], 1)
    return iter((rows, newest, delay, parked))


def _counters(views: Iterable[View]) -> Iterator[Metric]:
    retries = CounterMetricFamily(
        "eds_retries", "What had to be done again", labels=[_WHERE, "kind"]
    )
    reconnects = CounterMetricFamily(
        "eds_reconnects", "Connections that were made again", labels=[_WHERE, "to"]
    )
    quarantined = CounterMetricFamily(
        "eds_quarantined", "Events put into quarantine", labels=[_WHERE, "table"]
    )
    for view in views:
        for kind, count in _retries(view).items():
            retries.add_metric([view.name, kind], count)
        reconnects.add_metric([view.name, "nats"], view.state.nats_reconnects)
        reconnects.add_metric([view.name, "destination"], view.state.reconnects)
        for table, count in view.totals.quarantined.items():
            quarantined.add_metric([view.name, table], count)
    return iter((retries, reconnects, quarantined))


def _retries(view: View) -> dict[str, int]:
    return {
        "outage": 0,
        "own_tables": 0,
        **view.totals.retries,
        "conflict": view.state.conflicts,
        "reconnect": view.state.attempts,
    }
