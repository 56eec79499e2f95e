"""Looking on: ``--dry-run`` writes nothing, ``--dump-dir`` keeps what came."""

import asyncio
import json
import stat
from pathlib import Path

from acceptance.harness import serving, shop_is_at, streaming
from acceptance.tables import table_names, value
from eds_core.sandbox import Sandbox

HOUR = ("--consumer-start-time", "1h")


def nothing_there(url):
    if url.startswith("sqlite"):
        return not list(Path(url.removeprefix("sqlite:///")).parent.glob("shop.db*"))
    return table_names(url) == set()


def test_a_dry_run_touches_nothing_and_eats_nothing(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.run_shop(events=200)
            async with serving(sandbox, url, args=("--dry-run", *HOUR)) as server:
                await server.says("would write")
                await server.says("would create table")
                await sandbox.run_shop(events=50)
            assert nothing_there(url)
            async with serving(sandbox, url, args=HOUR) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_dry_run_beside_a_running_server_does_not_disturb_it(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await sandbox.run_shop(events=100)
            await shop_is_at(url, sandbox, server=server)
            before = value(url, "SELECT max(epoch) FROM _eds_checkpoint")
            async with serving(sandbox, url, args=("--dry-run",)) as dry:
                await sandbox.run_shop(events=100)
                await shop_is_at(url, sandbox, server=server)
                await dry.says("would write")
            assert value(url, "SELECT max(epoch) FROM _eds_checkpoint") == before

    asyncio.run(scenario())


def test_dump_dir_keeps_each_message_as_it_came_and_to_itself(tmp_path, sqlite_url):
    directory = tmp_path / "dump" / "deep"
    args = ("--dump-dir", directory)

    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=args) as (sandbox, server):
            events = [sandbox.shop.insert("brand") for _ in range(4)]
            ids = ("../../evil", "/etc/evil", "a\tb" + "x" * 300)
            for event, message_id in zip(events, ids, strict=False):
                await sandbox.publish(event, headers={"Nats-Msg-Id": message_id})
            await sandbox.publish(events[3], "gzip")
            await shop_is_at(sqlite_url, sandbox, server=server)
            return events

    events = asyncio.run(scenario())
    files = sorted(directory.iterdir())
    plain = [file.read_bytes() for file in files if file.suffix == ".json"]

    assert len(files) == 4
    assert sorted(plain) == sorted(event.payload for event in events[:3])
    assert [file.name.endswith(".json.gz") for file in files].count(True) == 1
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert all(file.name.startswith("brand_") for file in files)
    assert {file.parent for file in tmp_path.rglob("*evil*")} == {directory}


def test_a_dump_dir_that_is_gone_does_not_keep_events_away(tmp_path, sqlite_url):
    directory = tmp_path / "dump"
    args = ("--dump-dir", directory)

    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=args) as (sandbox, server):
            directory.rmdir()
            await sandbox.run_shop(events=20)
            await shop_is_at(sqlite_url, sandbox, server=server)
            assert "not written" in server.err

    asyncio.run(scenario())


def test_one_destination_more_dumps_no_message_twice(tmp_path, sqlite_url):
    dump, second = tmp_path / "dump", f"sqlite:///{tmp_path / 'second.db'}"
    args = ("--dump-dir", dump)

    async def scenario():
        async with streaming(tmp_path, sqlite_url, second, args=args) as both:
            sandbox, server = both
            await sandbox.publish(sandbox.shop.insert("brand"))
            for url in (sqlite_url, second):
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())
    (file,) = dump.iterdir()

    assert json.loads(file.read_bytes())["table"] == "brand"
