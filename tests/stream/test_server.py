"""The server in this process: what it does besides streaming."""

import asyncio
import logging
import math
import time
from contextlib import asynccontextmanager

import pytest

from eds_core import pipeline
from eds_core import server as module
from eds_core.destination import open_destination
from eds_core.sandbox import issue_credentials
from eds_core.server import Exit, Server, ServerOptions
from stream.harness import A, B, in_sandbox, soon, subject


@pytest.fixture(autouse=True)
def looking(monkeypatch, caplog):
    """Every moment instead of twice a day."""
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0.05)
    caplog.set_level(logging.WARNING, "eds")


@asynccontextmanager
async def running(sandbox, url, credentials):
    ready = asyncio.Event()
    options = ServerOptions(credentials, (url,), (sandbox.url,))
    server = Server(options, (), ready.set, signals=False)
    serving = asyncio.create_task(server.run())
    await asyncio.wait_for(ready.wait(), 10)
    yield server
    server.stop()
    assert await serving is Exit.OK


def test_credentials_that_come_to_their_end_are_warned_of_again(
    tmp_path, caplog, sqlite_url
):
    async def scenario(sandbox):
        mine = sandbox.issue()
        endless = mine.read_text()
        async with running(sandbox, sqlite_url, mine) as server:
            assert "expires at" not in caplog.text
            end = int(time.time()) + 3600
            mine.write_text(sandbox.issue(expires=end).read_text())
            await soon(lambda: "expires at" in caplog.text)
            await soon(lambda: server.snapshot.expires == end)
            mine.write_text(endless)
            await soon(lambda: server.snapshot.expires == math.inf)

    in_sandbox(tmp_path, scenario)


def test_credentials_that_name_other_companies_by_now_are_told(
    tmp_path, caplog, sqlite_url
):
    async def scenario(sandbox):
        mine = sandbox.issue([A])
        async with running(sandbox, sqlite_url, mine):
            mine.write_text(sandbox.issue([A, B]).read_text())
            await soon(lambda: "restart EDS" in caplog.text)

    in_sandbox(tmp_path, scenario)


@pytest.mark.parametrize("name", ["Joe's Shop", "joe.shop", "*", ">", ""])
def test_credentials_may_have_any_name(tmp_path, sqlite_url, name):
    """It is part of the name that a consumer of the old server would have."""

    async def scenario(sandbox):
        mine = tmp_path / "named.creds"
        mine.write_text(issue_credentials(sandbox.server.keys, [A], name=name))
        async with running(sandbox, sqlite_url, mine):
            pass

    in_sandbox(tmp_path, scenario)


def test_credentials_that_are_gone_are_told(tmp_path, caplog, sqlite_url):
    async def scenario(sandbox):
        mine = sandbox.issue()
        async with running(sandbox, sqlite_url, mine):
            mine.unlink()
            await soon(lambda: "cannot read the credentials" in caplog.text)

    in_sandbox(tmp_path, scenario)


@pytest.mark.parametrize("count", [4, 5])
def test_retries_are_read_in_parts_and_all_of_them(
    tmp_path, sqlite_url, monkeypatch, count
):
    """However many there are, they need not fit into memory at once."""
    monkeypatch.setattr(pipeline, "_RETRIES", 2)
    monkeypatch.setattr(pipeline, "_CHORES_EVERY", 0.2)

    async def scenario(sandbox):
        async with running(sandbox, sqlite_url, sandbox.credentials):
            for _ in range(count):
                await sandbox.publish_raw(subject(), b"rubbish")
            user = open_destination(sqlite_url)
            await soon(lambda: len(user.ledger.quarantined()) == count)
            before = {e.id: e.at for e in user.ledger.quarantined()}
            user.ledger.set_quarantine_state(before, "retry")
            await soon(lambda: not user.ledger.quarantined(state="retry"))
            after = {e.id: e.at for e in user.ledger.quarantined()}
            user.close()
        assert before.keys() == after.keys()
        assert all(after[id_] > before[id_] for id_ in before)

    in_sandbox(tmp_path, scenario)
