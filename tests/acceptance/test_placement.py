"""Several EDS in one database, each with tables of its own."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from acceptance.exports import export, imported
from acceptance.harness import eds, run, server_command, serving, until
from acceptance.tables import differences, execute, rows, table_names, value
from eds_core.sandbox import COMPANY, Sandbox


def placed(url, parameter):
    return f"{url}{'&' if '?' in url else '?'}{parameter}"


def unequal(url, sandbox):
    """What the tables without a prefix have otherwise than the shop."""
    found = differences(url, sandbox.shop.state(), sandbox.shop.models)
    return [each for each in found if "should not be there" not in each]


def content(url, table):
    found = rows(url, f"SELECT * FROM {table}")
    return sorted(found, key=lambda row: json.dumps(row, default=str))


async def alike(url, sandbox, server, name):
    """Wait until the tables that are called so equal those without a prefix."""
    await until(lambda: not unequal(url, sandbox), 20, lambda: unequal(url, sandbox))
    for table, found in sandbox.shop.state().items():
        if found:
            there = name.format(table)
            await until(
                lambda there=there, table=table: (
                    content(url, there) == content(url, f'"{table}"')
                ),
                20,
                server.tail,
            )


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


def test_servers_with_prefixes_of_their_own_share_a_database(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(serving(sandbox, each))
                for each in (placed(url, "table_prefix=a_"), url)
            ]
            await sandbox.run_shop(events=300)
            bad = f"dbchange.brand.INSERT.{COMPANY}.NONE.PUBLIC.1"
            await sandbox.publish_raw(bad, b"no JSON")
            await alike(url, sandbox, servers[0], '"a_{}"')
            await both_know_of_their_own(sandbox, url)
            assert [server.code for server in servers] == [None, None]

    asyncio.run(scenario())


async def both_know_of_their_own(sandbox, url):
    prefixed = placed(url, "table_prefix=a_")
    for each in (prefixed, url):
        listed = await eds(sandbox, "quarantine", "list", each)
        assert "1 quarantined" in listed.err
    assert (await eds(sandbox, "quarantine", "drop", prefixed, "--all")).code == 0
    assert "1 quarantined" in (await eds(sandbox, "quarantine", "list", url)).err
    shown = await eds(sandbox, "status", "--json", prefixed)
    (status,) = json.loads(shown.out)
    assert "brand" in {each["table"] for each in status["tables"]}
    doctor = await eds(sandbox, "doctor", "--json", prefixed)
    told = [each["told"] for each in json.loads(doctor.out)["findings"]]
    assert any("a__eds_checkpoint 1" in each for each in told)
    assert not any(" _eds_checkpoint" in each for each in told)


def test_an_import_fills_the_tables_of_its_prefix_and_no_other(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=400)
            export(sandbox, tmp_path / "export", ["label", "vehicle"])
            there = placed(url, "table_prefix=b_")
            dry = ("--dry-run",)
            await imported(sandbox, tmp_path / "export", url=there, args=dry)
            assert not [n for n in table_names(url) if n.startswith("b_")]
            args = ("--verify", "--prune")
            ended = await imported(sandbox, tmp_path / "export", url=there, args=args)
            assert "verified" in ended.out
            state = sandbox.shop.state()
            for table in ("label", "vehicle"):
                found = value(url, f"SELECT count(*) FROM b_{table}")
                assert found == len(state[table])
            assert all(name.startswith("b_") for name in table_names(url))

    asyncio.run(scenario())


def test_a_table_that_is_parked_under_a_prefix_is_resumed_by_its_own_name(
    tmp_path, postgres_url
):
    url = placed(postgres_url, "table_prefix=a_")

    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            await sandbox.publish(sandbox.shop.insert("label"))
            await until(lambda: "a_label" in table_names(postgres_url), 20)
            execute(
                postgres_url,
                "ALTER TABLE a_label ADD mine text NOT NULL DEFAULT 'x'",
                "ALTER TABLE a_label ALTER mine DROP DEFAULT",
            )
            await sandbox.publish(sandbox.shop.insert("label"))
            await server.says("label")
            await until(
                lambda: value(postgres_url, "SELECT count(*) FROM a__eds_parked"), 20
            )
            execute(postgres_url, "ALTER TABLE a_label DROP mine")
            resumed = await eds(sandbox, "resume", "label", url)
            assert resumed.code == 0, resumed.err
            await until(
                lambda: value(postgres_url, "SELECT count(*) FROM a_label") == 2,
                30,
                server.tail,
            )

    asyncio.run(scenario())


def test_a_schema_of_its_own_keeps_a_server_apart(tmp_path, postgres_url):
    execute(postgres_url, "CREATE SCHEMA two")
    there = placed(postgres_url, "schema=two")

    async def scenario():
        async with (
            Sandbox(tmp_path) as sandbox,
            serving(sandbox, there) as other,
            serving(sandbox, postgres_url),
        ):
            await sandbox.run_shop(events=200)
            await alike(postgres_url, sandbox, other, 'two."{}"')
            assert other.code is None

    asyncio.run(scenario())


def test_a_schema_that_is_not_there_ends_the_server_with_what_makes_it(
    tmp_path, postgres_url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            there = placed(postgres_url, "schema=two")
            ended = await run(tmp_path, *server_command(sandbox, [there]))
            return ended.code, ended.err

    code, said = asyncio.run(scenario())

    assert code == 2
    assert 'CREATE SCHEMA "two"' in said
