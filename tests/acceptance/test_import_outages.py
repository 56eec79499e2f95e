"""Whoever is away before the first row is waited for; what is wrong ends at once."""

import asyncio
import gzip
import signal
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from acceptance.exports import export, guide_command, import_command
from acceptance.harness import SCRIPTS, process, run, shop_is_at
from acceptance.tables import table_names
from eds_core.sandbox import Sandbox

roads = pytest.mark.parametrize("road", ["eds import", "--importer"])


def command(road, sandbox, *urls):
    make = {"eds import": eds_import, "--importer": guide_command}[road]
    return (*make(sandbox, urls[0], sandbox.directory / "export"), *urls[1:])


def eds_import(sandbox, url, directory):
    return import_command(sandbox, directory, url=url)


async def exporting(sandbox):
    await sandbox.run_shop(events=200)
    export(sandbox, sandbox.directory / "export")


def elsewhere(url):
    """A database of the same server that does not exist."""
    return urlunsplit(urlsplit(url)._replace(path="/nowhere"))


def locked(url):
    """The same database with a wrong password."""
    parts = urlsplit(url)
    place = f"{parts.username}:wrong@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=place))


@roads
def test_a_database_that_is_down_at_the_start_is_waited_for(
    tmp_path, own_postgres, postgres_url, road
):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            await asyncio.to_thread(own_postgres.stop, "immediate")
            try:
                told = command(road, sandbox, postgres_url)
                with process(sandbox.directory, *told) as importer:
                    await importer.says("cannot open postgresql://", 60)
                    await importer.says("(trying again)", 60)
                    await asyncio.to_thread(own_postgres.start)
                    assert await importer.ended(90) == 0, importer.tail()
            finally:
                await asyncio.to_thread(own_postgres.start)
            await shop_is_at(postgres_url, sandbox, seconds=20)

    asyncio.run(scenario())


def test_a_database_with_too_many_connections_is_waited_for(tmp_path, postgres_url):
    name = urlsplit(postgres_url).path[1:]

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            with psycopg.connect(postgres_url, autocommit=True) as held:
                held.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 1')
                told = command("eds import", sandbox, postgres_url)
                with process(sandbox.directory, *told) as importer:
                    await importer.says("(trying again)", 60)
                    held.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 10')
                    assert await importer.ended(90) == 0, importer.tail()
            await shop_is_at(postgres_url, sandbox, seconds=20)

    asyncio.run(scenario())


@roads
@pytest.mark.parametrize("wrong", [locked, elsewhere])
def test_what_only_the_user_can_change_ends_at_once(
    tmp_path, postgres_url, road, wrong
):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            told = command(road, sandbox, wrong(postgres_url))
            ended = await run(sandbox.directory, *told, seconds=60)
            assert ended.code == 2, ended.tail()
            assert "trying again" not in ended.err

    asyncio.run(scenario())


@roads
def test_nats_that_is_down_at_the_start_is_waited_for(tmp_path, sqlite_url, road):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            sandbox.server.kill()
            told = command(road, sandbox, sqlite_url)
            with process(sandbox.directory, *told) as importer:
                await importer.says("cannot connect to NATS", 60)
                await importer.says("(trying again)", 60)
                sandbox.server.start()
                assert await importer.ended(90) == 0, importer.tail()
            await shop_is_at(sqlite_url, sandbox, seconds=20)

    asyncio.run(scenario())


def test_look_ups_of_schemas_that_nobody_answers_are_waited_for(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            sandbox.responder.behave(silent=True)
            told = command("eds import", sandbox, sqlite_url)
            with process(sandbox.directory, *told) as importer:
                await importer.says("no answer to schema.", 60)
                sandbox.responder.behave()
                assert await importer.ended(90) == 0, importer.tail()
            await shop_is_at(sqlite_url, sandbox, seconds=20)

    asyncio.run(scenario())


@pytest.mark.parametrize("away", ["database", "NATS", "schemas"])
def test_while_an_import_waits_it_can_be_stopped(tmp_path, sqlite_url, closed, away):
    words = {
        "database": "cannot open",
        "NATS": "cannot connect to NATS",
        "schemas": "no answer to schema.",
    }

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            if away == "schemas":
                sandbox.responder.behave(silent=True)
            if away == "NATS":
                sandbox.server.kill()
            url = closed if away == "database" else sqlite_url
            told = command("eds import", sandbox, url)
            with process(sandbox.directory, *told) as importer:
                await importer.says(words[away], 60)
                importer.send(signal.SIGTERM)
                assert await importer.ended(60) == 1, importer.tail()
                assert "SIGTERM: finishing what is being written" in importer.err
                assert "stopped: the same import continues" in importer.out
                assert "Traceback" not in importer.err

    asyncio.run(scenario())


@pytest.fixture
def closed():
    """A database that nobody answers for."""
    return "postgresql://eds:secret@127.0.0.1:1/shop"


@roads
def test_one_destination_that_is_wrong_does_not_hold_the_other(
    tmp_path, postgres_url, sqlite_url, road
):
    nowhere = elsewhere(postgres_url)

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            told = command(road, sandbox, nowhere, sqlite_url)
            ended = await run(sandbox.directory, *told, seconds=90)
            assert ended.code == 2, ended.tail()
            assert "/nowhere:\nerror: " in ended.out
            assert f"{sqlite_url}:\n" in ended.out
            assert "total" in ended.out
            await shop_is_at(sqlite_url, sandbox, seconds=20)

    asyncio.run(scenario())


def test_one_destination_that_is_away_does_not_hold_the_other(
    tmp_path, closed, sqlite_url
):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await exporting(sandbox)
            told = command("--importer", sandbox, closed, sqlite_url)
            with process(sandbox.directory, *told) as importer:
                await importer.says("(trying again)", 60)
                await shop_is_at(sqlite_url, sandbox, server=importer)
                importer.send(signal.SIGTERM)
                assert await importer.ended(60) == 1, importer.tail()
                assert "secret" not in importer.out + importer.err

    asyncio.run(scenario())


def test_an_import_can_be_stopped_while_it_looks_at_a_huge_file(tmp_path, sqlite_url):
    """Nothing says which table it holds, so all of it is read before any is loaded."""
    lines = b'{"id":"1","name":"a label","companyId":"c1"}\n' * 20_000
    huge = tmp_path / "downloaded_file.gz"
    member = gzip.compress(lines)
    with huge.open("wb") as file:
        for _ in range(6_000):  # 5 GB when unpacked
            file.write(member)

    async def scenario():
        command = (*("--max-ratio", "100000"), huge, sqlite_url)
        with process(tmp_path, SCRIPTS / "eds", "import", *command) as importer:
            await importer.says("no --creds: tables are taken as the database has them")
            importer.send(signal.SIGTERM)
            assert await importer.ended(30) == 1, importer.tail()
            assert "stopped: the same import continues" in importer.out
            assert "Traceback" not in importer.err

    asyncio.run(scenario())
    assert table_names(sqlite_url) == set()
