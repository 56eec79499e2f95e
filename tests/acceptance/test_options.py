"""Every flag of the guide does what the guide says."""

import asyncio
import json
import re
import signal
import time
from contextlib import closing
from datetime import datetime

import pytest

from acceptance.harness import (
    SCRIPTS,
    SERVER,
    eds,
    process,
    run,
    serving,
    shop_is_at,
    starting,
    streaming,
    until,
)
from acceptance.tables import connect, table_names, value
from eds_core.sandbox import COMPANY, Sandbox, disconnect

HOUR = ("--consumer-start-time", "1h")


def test_silent_prints_nothing_and_streams(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, sqlite_url, args=("--silent", *HOUR)) as server:
                await sandbox.run_shop(events=100)
                await sandbox.publish(sandbox.shop.insert("brand"), raw=b"\xff")
                await sandbox.publish_raw(f"dbchange.x.y.{COMPANY}.NONE.PUBLIC.1", b"")
                query = "SELECT count(*) FROM _eds_quarantine"
                await until(
                    lambda: (
                        "_eds_quarantine" in table_names(sqlite_url)
                        and value(sqlite_url, query) == 2
                    ),
                    20,
                    server.tail,
                )
                assert await server.stop() == 0
            failed = await run(
                tmp_path, SCRIPTS / "eds", "--silent", "--creds", "nowhere", sqlite_url
            )
            return server.out + server.err, failed

    said, failed = asyncio.run(scenario())

    assert said == ""
    assert failed.code == 2
    assert failed.out + failed.err == ""


def test_trace_nats_shows_the_traffic(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=("--trace-nats",)) as both:
            sandbox, server = both
            await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(sqlite_url, sandbox, server=server)
            return server.err, sandbox.credentials.read_text()

    said, secret = asyncio.run(scenario())

    assert "$JS.API.CONSUMER.CREATE.dbchange" in said
    assert "$JS.API.CONSUMER.MSG.NEXT.dbchange" in said
    assert "schema.brand." in said
    assert "dbchange.brand.INSERT" in said
    assert not [line for line in secret.splitlines() if len(line) > 40 and line in said]


def test_timestamps_stand_in_front_of_each_line(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=("--timestamp",)) as both:
            return both[1].err

    lines = asyncio.run(scenario()).splitlines()

    assert lines
    assert all(re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", line) for line in lines)


def test_each_line_can_be_an_object(tmp_path, sqlite_url):
    args = ("--log-format", "json")

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, sqlite_url, args=args) as server:
                await server.says('"ready"')
                bad = f"dbchange.brand.INSERT.{COMPANY}.NONE.PUBLIC.1"
                await sandbox.publish_raw(bad, b"no JSON")
                await server.says("quarantined 1 (brand)")
                await server.stop()
            command = (*SERVER, "--creds", "no\nwhere", *args, "--verbose", sqlite_url)
            return server.err, await run(tmp_path, *command)

    said, failed = asyncio.run(scenario())

    lines = [json.loads(line) for line in (said + failed.err).splitlines()]
    fields = {"timestamp", "severity", "component", "message"}
    assert {"ready", "SIGTERM: finishing the batch"} <= {x["message"] for x in lines}
    assert all(line.keys() - {"traceback"} == fields for line in lines)
    assert all(datetime.fromisoformat(line["timestamp"]).tzinfo for line in lines)
    assert {line["severity"] for line in lines} >= {"INFO", "WARNING", "ERROR"}
    assert failed.code == 2
    assert "no\nwhere" in lines[-1]["message"]
    assert "ConfigError" in lines[-1]["traceback"]


def test_verbose_tells_of_batches(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=("--verbose",)) as both:
            await both[0].publish(both[0].shop.insert("brand"))
            await both[1].says("1 events written")

    asyncio.run(scenario())


async def consumer_names(sandbox):
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        infos = await client.jetstream().consumers_info("dbchange")
        return [info.name for info in infos]
    finally:
        await disconnect(client)


def test_the_prefix_is_glued_onto_the_consumers_names(tmp_path, sqlite_url):
    args = ("--consumer-prefix", "MyEDSConsumer")

    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=args) as (sandbox, _):
            return await consumer_names(sandbox)

    (name,) = asyncio.run(scenario())

    assert name.startswith(f"MyEDSConsumereds-server-{COMPANY}-")


def test_a_server_that_is_stopped_leaves_no_consumer(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, sqlite_url):
                pass
            return await consumer_names(sandbox)

    assert asyncio.run(scenario()) == []


def test_every_option_can_be_a_variable(tmp_path, sqlite_url):
    dump = tmp_path / "dump"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.publish(sandbox.shop.insert("brand"))
            variables = {
                "EDS_CREDS": str(sandbox.credentials),
                "EDS_URL": sqlite_url,
                "EDS_SERVER": sandbox.url,
                "EDS_CONSUMER_PREFIX": "byenv",
                "EDS_CONSUMER_START_TIME": "1h",
                "EDS_DRY_RUN": "1",
                "EDS_DUMP_DIR": str(dump),
                "EDS_TRACE_NATS": "true",
                "EDS_VERBOSE": "1",
                "EDS_TIMESTAMP": "1",
            }
            command = (SCRIPTS / "eds", "server")
            with process(tmp_path, *command, env=variables) as server:
                await server.ready()
                await server.says("would write 1 rows to brand")
                names = await consumer_names(sandbox)
                assert await server.stop() == 0, server.tail()
            silent = await run(tmp_path, *command, env={"EDS_SILENT": "1"})
            return server.err, names, silent

    said, (name,), silent = asyncio.run(scenario())

    assert name.startswith("byenveds-server-")
    assert "nats tx" in said
    assert "DEBUG" in said
    assert all(line[:4].isdigit() for line in said.splitlines())
    assert len(list(dump.iterdir())) == 1
    assert (silent.code, silent.err) == (2, "")


@pytest.mark.parametrize(
    "form",
    [
        "eds-server --creds {creds} --server {nats} {url}",
        "eds-server server --creds {creds} --server {nats} {url}",
        "eds --verbose server --creds {creds} --server {nats} {url}",
        "eds server {url} --server={nats} --creds={creds}",
        "eds {url} --timestamp --creds {creds} --server {nats}",
        "eds-server --creds {creds} {url} --verbose --server {nats}",
    ],
)
def test_every_form_of_the_command_line_means_the_server(tmp_path, sqlite_url, form):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            words = form.format(
                creds=sandbox.credentials, nats=sandbox.url, url=sqlite_url
            ).split()
            with process(tmp_path, SCRIPTS / words[0], *words[1:]) as server:
                await server.ready()
                assert await server.stop() == 0, server.tail()

    asyncio.run(scenario())


def test_sigterm_finishes_the_batch_and_exits_0(tmp_path, url):
    interrupted(tmp_path, url, signal.SIGTERM)


def test_control_c_finishes_the_batch_and_exits_0(tmp_path, sqlite_url):
    interrupted(tmp_path, sqlite_url, signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_server_at_once(tmp_path, postgres_url, number):
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, postgres_url, args=HOUR) as server:
                await sandbox.publish(sandbox.shop.insert("brand"))
                await shop_is_at(postgres_url, sandbox, server=server)
                with closing(connect(postgres_url)) as other:
                    other.execute("BEGIN")
                    other.execute("LOCK TABLE brand")
                    await sandbox.publish(sandbox.shop.insert("brand"))
                    stuck = lambda: value(postgres_url, waiting)  # noqa: E731 - one question
                    await until(stuck, 20, server.tail)
                    server.send(number)
                    await server.says(f"{number.name}: finishing the batch")
                    server.send(number)
                    assert await server.ended(5) == -number, server.tail()
                    other.execute("ROLLBACK")
            async with serving(sandbox, postgres_url) as server:
                await shop_is_at(postgres_url, sandbox, server=server)

    asyncio.run(scenario())


def interrupted(tmp_path, url, number):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url) as server:
                await server.ready()
                shop = asyncio.create_task(sandbox.run_shop(events=800))
                await until(lambda: "order" in table_names(url), 20, server.tail)
                server.send(number)
                assert await server.ended() == 0, server.tail()
                assert "Traceback" not in server.err
                await shop
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_lone_event_is_visible_at_once(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(url, sandbox, server=server)
            took = []
            for number in range(5):
                event = sandbox.shop.insert("brand", {"name": f"lone {number}"})
                query = f"SELECT count(*) FROM brand WHERE name = 'lone {number}'"
                begun = time.monotonic()
                await sandbox.publish(event)
                await until(lambda q=query: value(url, q) == 1, 20, server.tail)
                took.append(time.monotonic() - begun)
            return took

    assert min(asyncio.run(scenario())) < 0.5


def test_drivers_lists_what_is_installed(tmp_path):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            return await eds(sandbox, "drivers")

    listed = asyncio.run(scenario())

    assert listed.code == 0
    assert "sqlite:////" in listed.out
    assert "postgresql://" in listed.out
