"""The line of each minute."""

import logging
from dataclasses import replace

import pytest

from eds_core.health.meter import Meter
from eds_core.health.snapshot import View
from eds_core.health.summary import Minutes
from eds_core.plugins import BatchReport
from eds_core.standing import State


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "eds")
    return caplog


def written(meter, *latencies):
    report = BatchReport(len(latencies), 0, 0.1, {}, 0, latencies)
    meter.batch_written(report)
    return View("db", "SQLite", State(streaming=True), meter.read()[0])


def test_a_minute_has_its_own_events_only(log):
    meter, minutes = Meter(), Minutes(0)
    for now, latencies in ((10, [0.004] * 99), (60, [3.0]), (90, [0.1]), (120, [0.1])):
        minutes.look([written(meter, *latencies)], now)

    assert log.messages == [
        "100 events in the last minute, half within 0.005 s, 99 of 100 within 0.005 s",
        "2 events in the last minute, half within 0.1 s, 99 of 100 within 0.1 s",
    ]


def test_nothing_is_said_of_nothing(log):
    minutes = Minutes(0)
    minutes.look([written(Meter())], 60)

    assert log.messages == []


def test_what_waits_is_said_although_nothing_is_written(log):
    view, now = written(Meter()), 1_800_000_000
    waiting = replace(view.state, fetched=5, pending=1000, oldest=(now - 90) * 10**9)
    Minutes(now - 60).look([replace(view, state=waiting)], now)

    assert log.messages == [
        "0 events in the last minute, 1,005 waiting, the oldest for 90 s"
    ]


def test_several_destinations_are_told_apart(log):
    views = [replace(written(Meter(), 7200.0), name=name) for name in "ab"]
    Minutes(0).look(views, 60)

    assert log.messages == [
        f"{name}: 1 events in the last minute, half more than 3600 s, "
        "99 of 100 more than 3600 s"
        for name in "ab"
    ]
