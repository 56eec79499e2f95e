"""An import may come before, during and after streaming: the end is the same."""

import asyncio
import random
import signal
import sqlite3
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing

import pytest

from acceptance.exports import (
    export,
    guide_command,
    imported,
    importing,
    shop_at_work,
)
from acceptance.harness import eds, process, run, serving, shop_is_at, starting, until
from acceptance.tables import connect, execute, rows, table_names, value
from eds_core.sandbox import COMPANY, Sandbox, issue_credentials


def filled(sandbox, table, count):
    """Events that give *table* many rows."""
    return [sandbox.shop.insert(table) for _ in range(count)]


@asynccontextmanager
async def in_the_middle(importer, url):
    """Some rows are in, some are not, and whoever writes has to wait meanwhile."""
    await until(lambda: "_eds_import" in table_names(url), 30, importer.tail)
    with closing(connect(url)) as connection:
        await hold_it(importer, connection)
        yield
        connection.execute("ROLLBACK")


async def hold_it(importer, connection):
    begun = "SELECT count(*) FROM _eds_import WHERE is_done = 0 AND lines_read > 0"
    if sqlite := isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA busy_timeout = 0")  # its waits miss short gaps
    while True:
        assert importer.code is None, importer.tail()
        if begin(connection):
            if connection.execute(begun).fetchone()[0]:
                return
            connection.execute("ROLLBACK")
        await asyncio.sleep(0.002 if sqlite else 0.01)


def begin(connection):
    """A transaction beside which nobody can write; False when one writes now."""
    if not isinstance(connection, sqlite3.Connection):
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE _eds_import IN SHARE MODE")
        return True
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def test_the_guides_four_steps_end_equal_while_the_shop_changes(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=800)
            async with shop_at_work(sandbox):
                await asyncio.sleep(0.3)
                export(sandbox, tmp_path / "export")
                await asyncio.sleep(0.3)  # in neither the export nor what comes later
                command = guide_command(sandbox, url, tmp_path / "export")
                ended = await run(sandbox.directory, *command)
                assert ended.code == 0, ended.tail()
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_what_happens_around_the_first_import_of_an_export_without_a_time_is_not_lost(
    tmp_path, url
):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=800)
            async with shop_at_work(sandbox, 400):
                for file in export(sandbox, tmp_path / "export"):
                    file.rename(file.with_name(f"{file.name.split('-')[5]}.json.gz"))
                await asyncio.sleep(0.3)
                ended = await imported(sandbox, tmp_path / "export", url=url)
                assert "the export's time is not known" in ended.err
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_running_server_waits_for_an_import_and_goes_on_by_itself(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=500)
            async with serving(
                sandbox, url, args=("--consumer-start-time", "1h")
            ) as server:
                await shop_is_at(url, sandbox, server=server)
                async with shop_at_work(sandbox, 400):
                    await asyncio.sleep(0.3)
                    export(sandbox, tmp_path / "export")
                    await asyncio.sleep(0.3)
                    await imported(sandbox, tmp_path / "export", url=url)
                    await server.says("waits for the end of its import")
                    await server.says("the import has ended; going on")
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_server_that_starts_during_an_import_waits_for_its_end(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with importing(sandbox, tmp_path / "export", url=url) as importer:
                async with AsyncExitStack() as stack:
                    async with in_the_middle(importer, url):
                        server = await stack.enter_async_context(serving(sandbox, url))
                        await server.says("waits for the end of its import")
                        await sandbox.run_shop(events=100)
                        assert importer.code is None, importer.tail()
                    assert await importer.ended(60) == 0, importer.tail()
                    await server.says("the import has ended; going on")
                    await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_an_old_export_changes_nothing_that_is_newer(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=1000)
            export(sandbox, tmp_path / "export")
            args = ("--consumer-start-time", "1h")
            async with serving(sandbox, url, args=args) as server:
                await sandbox.run_shop(events=1500)  # updates and deletes among them
                await shop_is_at(url, sandbox, server=server)
            await imported(sandbox, tmp_path / "export", url=url)
            await shop_is_at(url, sandbox, seconds=5)
            await imported(sandbox, tmp_path / "export", url=url, creds=False)
            await shop_is_at(url, sandbox, seconds=5)

    asyncio.run(scenario())


@pytest.mark.survives(
    "An import is killed at any moment",
    "kill -9, then the same command again",
    "it goes on behind the last line that is in",
)
def test_kill_9_at_random_moments_of_an_import_ends_equal(tmp_path, url):
    dice = random.Random()
    moments = [dice.uniform(0, 1.5) for _ in range(4)]

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            await sandbox.run_shop(events=300)
            export(sandbox, tmp_path / "export")
            args = ("--consumer-start-time", "1h", "--jobs", "4")
            async with shop_at_work(sandbox, 100):
                for moment in moments:
                    with importing(
                        sandbox, tmp_path / "export", url=url, args=args
                    ) as importer:
                        await asyncio.sleep(moment)
                        importer.kill()
                await imported(sandbox, tmp_path / "export", url=url, args=args)
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    try:
        asyncio.run(scenario())
    except AssertionError as error:
        raise AssertionError(f"killed after {moments}: {error}") from error


def test_a_killed_import_goes_on_where_it_stood(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with importing(sandbox, tmp_path / "export", url=url) as importer:
                async with in_the_middle(importer, url):
                    importer.kill()
            ((line,),) = [
                r.values() for r in rows(url, "SELECT lines_read FROM _eds_import")
            ]
            assert 0 < line < 30_000
            ended = await imported(sandbox, tmp_path / "export", url=url)
            assert f"goes on behind line {line}" in ended.err
            assert "core_charge  30000     30000        0" in ended.out
            assert value(url, "SELECT count(*) FROM _eds_import") == 0
            await shop_is_at(url, sandbox, seconds=5)

    asyncio.run(scenario())


def test_an_import_that_is_stopped_says_so_and_continues(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with importing(sandbox, tmp_path / "export", url=sqlite_url) as importer:
                async with in_the_middle(importer, sqlite_url):
                    importer.send(signal.SIGTERM)
                    await asyncio.sleep(0.3)
                assert await importer.ended() == 1, importer.tail()
                assert "stopped: the same import continues" in importer.out
            assert value(sqlite_url, "SELECT count(*) FROM _eds_heartbeat") == 0
            await imported(sandbox, tmp_path / "export", url=sqlite_url)
            await shop_is_at(sqlite_url, sandbox, seconds=5)

    asyncio.run(scenario())


def test_an_import_into_two_databases_that_is_stopped_continues_in_both(
    tmp_path, sqlite_url
):
    second = f"sqlite:///{tmp_path / 'second.db'}"

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            command = guide_command(sandbox, sqlite_url, tmp_path / "export")
            with process(sandbox.directory, *command, second) as importer:
                async with in_the_middle(importer, sqlite_url):
                    importer.send(signal.SIGTERM)
                    await importer.says("SIGTERM: finishing what is being written")
                assert await importer.ended(60) == 1, importer.tail()
            ended = await run(sandbox.directory, *command, second, seconds=60)
            assert ended.code == 0, ended.tail()
            for url in (sqlite_url, second):
                await shop_is_at(url, sandbox, seconds=20)

    asyncio.run(scenario())


def test_a_second_signal_ends_an_import_at_once(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with importing(sandbox, tmp_path / "export", url=sqlite_url) as importer:
                async with in_the_middle(importer, sqlite_url):
                    importer.send(signal.SIGINT)
                    await importer.says("SIGINT: finishing")
                    importer.send(signal.SIGINT)
                    assert await importer.ended(5) == -signal.SIGINT
            await imported(sandbox, tmp_path / "export", url=sqlite_url)
            await shop_is_at(sqlite_url, sandbox, seconds=5)

    asyncio.run(scenario())


def test_an_import_into_two_databases_fills_both(tmp_path, sqlite_url):
    second = f"sqlite:///{tmp_path / 'second.db'}"

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=300)
            export(sandbox, tmp_path / "export")
            command = guide_command(sandbox, sqlite_url, tmp_path / "export")
            ended = await run(sandbox.directory, *command, second)
            assert ended.code == 0, ended.tail()
            for url in (sqlite_url, second):
                await shop_is_at(url, sandbox, seconds=5)

    asyncio.run(scenario())


def test_a_second_import_waits_for_the_first(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with (
                importing(sandbox, tmp_path / "export", url=url) as first,
                importing(sandbox, tmp_path / "export", url=url) as second,
            ):
                assert await first.ended(90) == 0, first.tail()
                assert await second.ended(90) == 0, second.tail()
                assert "waiting for another import" in first.err + second.err
            await shop_is_at(url, sandbox, seconds=5)

    asyncio.run(scenario())


@pytest.mark.survives(
    "An import's process is gone",
    "kill -9 of an import that a server waits for",
    "the server goes on",
)
def test_an_import_whose_process_is_gone_holds_nobody(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with importing(sandbox, tmp_path / "export", url=url) as importer:
                async with in_the_middle(importer, url):
                    importer.kill()
            async with serving(sandbox, url) as server:
                assert "waits for the end" not in server.err
                await sandbox.run_shop(events=50)
                await until(lambda: value(url, "SELECT min(seq) FROM _eds_checkpoint"))

    asyncio.run(scenario())


def test_a_silent_import_of_another_machine_is_given_up_after_a_minute(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            async with serving(sandbox, url):
                pass
            age = "2020-01-01T00:00:00+00:00"
            claim(url, "elsewhere, process 1, since ever", age)
            async with serving(sandbox, url) as server:
                assert "waits for the end" not in server.err
            assert value(url, "SELECT count(*) FROM _eds_heartbeat") == 0

    asyncio.run(scenario())


def test_an_import_of_another_machine_that_gives_signs_of_life_is_waited_for(
    tmp_path, url
):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            async with serving(sandbox, url):
                pass
            claim(url, "elsewhere, process 1, since ever", "2999-01-01T00:00:00+00:00")
            async with serving(sandbox, url) as server:
                await server.says("waits for the end of its import by elsewhere")
                execute(url, "DELETE FROM _eds_heartbeat")
                await server.says("the import has ended; going on")

    asyncio.run(scenario())


def claim(url, owner, at):
    """As an import on another machine would."""
    execute(
        url,
        "UPDATE _eds_checkpoint SET epoch = epoch + 1, role = 'import'",
        "INSERT INTO _eds_heartbeat (company, epoch, owner, at) "
        f"SELECT company, epoch, '{owner}', '{at}' FROM _eds_checkpoint",
    )


def test_a_server_killed_while_it_waits_changes_nothing(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with importing(sandbox, tmp_path / "export", url=sqlite_url) as importer:
                async with in_the_middle(importer, sqlite_url):
                    with starting(sandbox, sqlite_url) as server:
                        await server.says("waits for the end of its import")
                        server.kill()
                assert await importer.ended(60) == 0, importer.tail()
            await shop_is_at(sqlite_url, sandbox, seconds=5)

    asyncio.run(scenario())


def test_an_import_without_credentials_fills_the_tables_that_are_there(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            args = ("--consumer-start-time", "1h")
            await sandbox.run_shop(events=1500)
            async with serving(sandbox, url, args=args) as server:
                await shop_is_at(url, sandbox, server=server)
            export(sandbox, tmp_path / "export")
            execute(url, 'DELETE FROM "order"', "DELETE FROM customer")
            ended = await imported(sandbox, tmp_path / "export", url=url, creds=False)
            assert "tables are taken as the database has them" in ended.err
            await shop_is_at(url, sandbox, seconds=5)

    asyncio.run(scenario())


def test_a_dry_run_reads_everything_and_writes_nothing(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=300)
            export(sandbox, tmp_path / "export")
            ended = await imported(
                sandbox, tmp_path / "export", url=url, args=("--dry-run",)
            )
            assert "would write" in ended.out
            assert table_names(url) == set()
            if url.startswith("sqlite"):
                assert not list(tmp_path.glob("*.db"))

    asyncio.run(scenario())


def test_an_outage_of_postgres_is_waited_for(tmp_path, own_postgres, postgres_url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "core_charge", 30_000)
            export(sandbox, tmp_path / "export")
            with importing(sandbox, tmp_path / "export", url=postgres_url) as importer:
                async with in_the_middle(importer, postgres_url):
                    pass
                await asyncio.to_thread(own_postgres.stop, "immediate")
                await importer.says("trying again")
                await asyncio.to_thread(own_postgres.start)
                assert await importer.ended(90) == 0, importer.tail()
            await shop_is_at(postgres_url, sandbox, seconds=5)

    asyncio.run(scenario())


def test_prune_deletes_what_a_gap_has_swallowed(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=800)
            args = ("--consumer-start-time", "1h")
            async with serving(sandbox, url, args=args) as server:
                await shop_is_at(url, sandbox, server=server)
            # Deleted while nobody saw it: these events are not published.
            for table in ("order", "customer"):
                for key in list(sandbox.shop.state()[table])[:5]:
                    sandbox.shop.delete(table, key)
            export(sandbox, tmp_path / "export")
            ended = await imported(
                sandbox, tmp_path / "export", url=url, args=("--prune",)
            )
            assert "5 rows deleted that the export does not have" in ended.err
            await shop_is_at(url, sandbox, seconds=5)
            async with serving(sandbox, url) as server:
                await sandbox.run_shop(events=200)
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_verify_compares_the_database_with_the_files(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=1500)
            export(sandbox, tmp_path / "export")
            files, check = tmp_path / "export", ("--verify",)
            ended = await imported(sandbox, files, url=url, args=check)
            assert "verified: the database holds" in ended.out
            # Rows that are newer than the export are right, whatever they hold.
            newer = (
                "'99999999999999999999.0'" if "sqlite" in url else "9999999999999999999"
            )
            execute(
                url,
                'UPDATE "order" SET "coalescedName" = \'spoilt\', '
                f"_eds_version = {newer}",
            )
            return await imported(sandbox, files, url=url, args=check)

    ended = asyncio.run(scenario())
    assert "verified: the database holds" in ended.out


def test_what_differs_from_the_files_is_told_and_written_again_when_asked(
    tmp_path, sqlite_url
):
    spoil = (
        "CREATE TRIGGER spoil AFTER UPDATE ON label "
        "BEGIN UPDATE label SET name = 'spoilt' WHERE id = new.id; END"
    )

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            filled(sandbox, "label", 25)
            export(sandbox, tmp_path / "export")
            files, check = tmp_path / "export", ("--verify",)
            await imported(sandbox, files, url=sqlite_url, args=check)
            execute(sqlite_url, spoil)
            told = await imported(sandbox, files, url=sqlite_url, args=check, code=1)
            assert "label: 25 rows differ from the files" in told.out
            assert told.out.count(": name differs") == 20  # the first ones
            again = (*check, "--repair")
            mended = await imported(sandbox, files, url=sqlite_url, args=again)
            assert "25 rows were written again" in mended.out

    asyncio.run(scenario())


def test_consumer_start_time_of_a_first_import_is_kept_by_all_that_follows(
    tmp_path, url
):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=300)
            export(sandbox, tmp_path / "export")
            files, position = tmp_path / "export", "SELECT seq FROM _eds_checkpoint"
            args = ("--consumer-start-time", "1h")
            ended = await imported(sandbox, files, url=url, args=args)
            assert "begins behind sequence 0: 1:00:00 ago" in ended.err
            assert value(url, position) == 0
            await sandbox.run_shop(events=300)
            again = ("--consumer-start-time", "1s")
            ended = await imported(sandbox, files, url=url, args=again)
            assert "begins behind" not in ended.err
            assert value(url, position) == 0
            async with serving(sandbox, url, args=again) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_expired_credentials_are_refused_before_anything_is_written(
    tmp_path, sqlite_url
):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=50)
            export(sandbox, tmp_path / "export")
            expired = issue_credentials(
                sandbox.server.keys, [COMPANY], expires=int(time.time()) - 60
            )
            sandbox.credentials.write_text(expired)
            ended = await imported(sandbox, tmp_path / "export", url=sqlite_url, code=2)
            assert f"{sandbox.credentials} expired at" in ended.err
            assert table_names(sqlite_url) == set()

    asyncio.run(scenario())


def test_eds_import_is_in_the_help(tmp_path):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            return await eds(sandbox, "import", "--help")

    assert "PATH... URL" in asyncio.run(scenario()).out
