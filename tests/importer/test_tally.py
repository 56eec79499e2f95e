"""How far an import is, in words."""

import time

from eds_core.importer.tally import FileTally, Tally
from eds_core.importing import progress_line


def test_progress_tells_bytes_rows_speed_and_the_time_left():
    half = FileTally("f", "order", 2_000_000, share=0.5, read=300, quarantined=1)
    tally = Tally([half], started=time.monotonic() - 10)

    told = progress_line(tally)

    assert told == (
        "50%, 1.0 MB of 2.0 MB, 300 rows, 30 rows/s, 1 quarantined, 10 s left"
    )


def test_nothing_is_told_of_the_time_left_before_something_was_read():
    told = progress_line(Tally([FileTally("f", "order", 2_000_000)]))

    assert "left" not in told


def test_what_goes_on_instead_of_loading_is_told():
    tally = Tally([FileTally("f", "order", 1)], phase="waiting for another import")

    assert progress_line(tally) == "waiting for another import"
