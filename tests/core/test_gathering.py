"""Changes wait for others no longer than they may."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from eds_core.durations import parse_duration
from eds_core.gathering import Gathering
from eds_core.intake import MAX_BYTES, MAX_EVENTS


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_without_a_wait_everything_goes_at_once(clock):
    gathering = Gathering(0, clock)

    assert gathering.due(1, 100)
    assert gathering.due(0, 0)
    assert gathering.until == math.inf


def test_the_first_event_decides_when_the_wait_is_over(clock):
    gathering = Gathering(10, clock)

    assert not gathering.due(1, 100)
    clock.now += 9
    assert not gathering.due(2, 200)
    assert gathering.until == 110
    clock.now += 1
    assert gathering.due(2, 200)


def test_the_next_event_has_a_wait_of_its_own(clock):
    gathering = Gathering(10, clock)
    gathering.due(1, 100)
    clock.now += 10
    gathering.due(1, 100)

    clock.now += 5
    assert not gathering.due(1, 100)
    assert gathering.until == clock.now + 10


@pytest.mark.parametrize(("events", "size"), [(MAX_EVENTS, 1), (1, MAX_BYTES)])
def test_a_batch_at_its_limits_goes_at_once(clock, events, size):
    assert Gathering(10, clock).due(events, size)


def test_what_was_held_up_does_not_wait_again(clock):
    assert Gathering(10, clock).due(1, 100, overdue=True)


def test_nothing_to_write_starts_no_wait(clock):
    gathering = Gathering(10, clock)

    assert gathering.due(0, 0)
    assert gathering.until == math.inf


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("60s", 60), ("1h45m", 6300), ("1.5s", 1.5), ("2ms", 0.002)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "60", "s", "1d", "1h 5m", "-5s", "9" * 30 + "h"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
