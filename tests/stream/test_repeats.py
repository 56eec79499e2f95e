"""Parked tables on their way back, and what may cross their way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from eds_core.event import Message
from eds_core.intake import Intake
from eds_core.ledger import Checkpoint, Parked
from eds_core.positions import Positions
from eds_core.repeats import Repeats
from eds_core.stream import Feed, Gap, Heartbeat, Settings

COMPANY = "aa"
NAME = "brand", COMPANY
PARKED = Parked("brand", COMPANY, 5, "no privilege")


def resuming(scenario):
    """Run *scenario* with a table that is read again behind sequence 4.

    The live stream's position is 10; it has examined up to 15.
    """

    async def run():
        feed = Feed(Settings(("nats://127.0.0.1:1",), Path("none.creds")))
        live, positions = Intake(), Positions()
        live.open_lane(COMPANY, 10)
        live.lanes[COMPANY].passed = (15, 0)
        positions.take(Checkpoint(COMPANY, 10, 0, "a", "dbchange", ""))
        repeats = Repeats(feed, live, lambda _: None)
        repeats.reload([PARKED])
        assert repeats.skipped == {NAME}
        await repeats.resume(replace(PARKED, resume=True), positions)
        subject = f"dbchange.brand.*.{COMPANY}.*.PUBLIC.>"
        try:
            scenario(repeats, positions, feed._followers[subject].sink, subject)
        finally:
            await feed.close()

    asyncio.run(run())


def test_a_table_that_resumes_is_read_up_to_where_the_live_stream_passed_it_over():
    def scenario(repeats, positions, sink, subject):
        assert repeats.skipped == set()
        sink([Heartbeat(COMPANY, 12, subject)])
        assert repeats.take(positions) is None
        sink([Heartbeat(COMPANY, 15, subject)])
        work, _ = repeats.take(positions)
        assert work.unparked == [NAME]

    resuming(scenario)


def test_a_commit_that_is_tried_again_does_not_leave_the_table_skipped():
    def scenario(repeats, positions, sink, subject):
        sink([Heartbeat(COMPANY, 15, subject)])
        repeats.take(positions)
        repeats.reload([replace(PARKED, resume=True)])  # the commit failed
        repeats.finish(NAME)  # and was made at the second try
        assert repeats.skipped == set()
        assert repeats.resuming == {}

    resuming(scenario)


def test_a_gap_met_on_the_way_back_is_told(caplog):
    def scenario(repeats, positions, sink, subject):
        sink([Gap(COMPANY, 4, 8)])
        sink([Message(f"dbchange.brand.X.{COMPANY}", b"", 8, 1)])
        repeats.take(positions)

    with caplog.at_level("INFO", "eds"):
        resuming(scenario)

    assert "up to 3 events" in caplog.text
