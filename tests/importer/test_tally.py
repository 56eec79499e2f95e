"""How far an import is, in words."""

import time

from eds_core.importer.tally import FileTally, Tally
from eds_core.importing import progress_line, summary


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


def told(capsys, *files, dry_run=False):
    summary(Tally([*files]), dry_run=dry_run)
    lines = capsys.readouterr().out.splitlines()
    return [tuple(line.replace("would ", "would-").split()) for line in lines]


def test_the_summary_tells_per_table_and_in_total_what_became_of_the_rows(capsys):
    found = told(
        capsys,
        FileTally("f", "order", 1, read=10, inserted=4, updated=3, quarantined=1),
        FileTally("g", "order", 1, read=5, updated=5),
        FileTally("h", "label", 1, read=2, inserted=2),
    )

    assert found == [
        ("table", "read", "inserted", "updated", "stale", "quarantined"),
        ("label", "2", "2", "0", "0", "0"),
        ("order", "15", "4", "8", "2", "1"),
        ("total", "17", "6", "8", "2", "1"),
    ]


def test_the_summary_tells_what_was_deleted_when_something_was(capsys):
    found = told(capsys, FileTally("f", "order", 1, read=1, updated=1, deleted=7))

    assert found == [
        ("table", "read", "inserted", "updated", "stale", "quarantined", "deleted"),
        ("order", "1", "0", "1", "0", "0", "7"),
    ]


def test_a_dry_run_tells_no_inserts_from_updates(capsys):
    file = FileTally("f", "order", 1, read=9, inserted=8, quarantined=1, deleted=2)

    assert told(capsys, file, dry_run=True) == [
        ("table", "read", "would-write", "quarantined", "would-delete"),
        ("order", "9", "8", "1", "2"),
    ]
