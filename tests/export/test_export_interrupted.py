"""An interrupt ends an export wherever it comes."""

import time
from threading import Event

import pytest

from eds_core.export.files import Files


class Slow(Files):
    """Each file takes until it is told to stop."""

    def __init__(self, stop):
        super().__init__(None, None, None, progress=None, stop=stop, wait=1)

    def fetch(self, wanted):
        assert self._stop.wait(10), f"{wanted} went on"
        return wanted


def interrupted(count):
    """Files to fetch, and Ctrl-C while they are begun."""
    yield from map(str, range(count))
    raise KeyboardInterrupt


def test_an_interrupt_while_downloads_are_begun_stops_those_that_run():
    stop = Event()
    began = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        Slow(stop).fetch_all(interrupted(9), jobs=2)

    assert stop.is_set()
    assert time.monotonic() - began < 5
