"""Who changes tables: EDS, EDS after `eds apply`, or a person alone."""

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from acceptance.harness import PATIENCE, eds, serving, shop_is_at, streaming, until
from acceptance.tables import execute, rows, table_names, value
from eds_core.sandbox import COMPANY, Sandbox

TOP = Path(__file__).parents[2]
#: Of the shop's tables.
HISTORY = (
    "SELECT table_name, outcome, actor FROM _eds_schema_history "
    "WHERE SUBSTR(table_name, 1, 4) <> '_eds'"
)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


async def publish(sandbox, *tables):
    for table in tables:
        await sandbox.publish(sandbox.shop.insert(table))


async def command(name, sandbox, url, *arguments):
    asked = "--creds", sandbox.credentials, "--server", sandbox.url
    return await eds(sandbox, name, url, *asked, *arguments)


async def planned(sandbox, url, *arguments):
    done = await command("plan", sandbox, url, "--json", *arguments)
    return done.code, json.loads(done.out)


def quoted(url, table):
    return f"`{table}`" if url.startswith("mariadb") else f'"{table}"'


async def arrives(url, table, count, server):
    query = f"SELECT count(*) FROM {quoted(url, table)}"
    await until(lambda: value(url, query) == count, 20, server.tail)


def test_a_server_records_what_it_does_by_itself(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            before = await planned(sandbox, url, "--all")
            await publish(sandbox, "brand", "vendor")
            await shop_is_at(url, sandbox, server=server)
            found = rows(url, HISTORY)
            assert {(r["table_name"], r["outcome"]) for r in found} == {
                ("brand", "done"),
                ("vendor", "done"),
            }
            assert all(r["actor"].startswith("server on ") for r in found)
            assert (await planned(sandbox, url))[0] == 0
            assert before[0] == 3
            creates = {t["table"]: t["statements"] for t in before[1]["tables"]}
            ran = "SELECT statement FROM _eds_schema_history WHERE table_name = 'brand'"
            assert creates["brand"] == [value(url, ran)]
            told = await eds(sandbox, "status", url)
            assert "done      CREATE TABLE" in told.out

    asyncio.run(scenario())


@pytest.mark.survives(
    "A table has to change, and a person wants to see that first",
    "`--schema-changes review`; a new table, a new column; `eds apply`",
    "parked alone, then continued without loss",
)
def test_changes_wait_for_review_and_the_other_tables_go_on(tmp_path, url):
    async def scenario():
        review = ("--schema-changes", "review")
        async with streaming(tmp_path, url, args=review) as (sandbox, server):
            await publish(sandbox, "brand", "vendor")
            await server.says("while the other tables go on: brand, vendor.")
            assert "ERROR" not in server.err
            assert server.err.count("WARNING waiting for review") == 1
            assert "run it with `eds apply URL`" in server.err
            assert "brand" not in table_names(url)
            waits = await eds(sandbox, "status", url)
            assert "a person has to allow: brand, vendor" in waits.out
            assert waits.out.count("WRONG") == 1
            nobody = await eds(sandbox, "apply", url)
            assert (nobody.code, "--yes" in nobody.err) == (2, True)
            applied = await eds(sandbox, "apply", "--yes", url)
            assert applied.code == 0, applied.tail()
            await shop_is_at(url, sandbox, server=server)

            sandbox.use(sandbox.model("brand").with_column("country"))
            await publish(sandbox, "brand", "vendor")
            await server.says("alter table brand: add country text")
            await publish(sandbox, "brand", "vendor")
            await arrives(url, "vendor", 3, server)
            await arrives(url, "brand", 1, server)
            status = await eds(sandbox, "status", url)
            assert "eds apply" in status.out
            plain = await eds(sandbox, "plan", url)
            assert plain.code == 3
            assert "ALTER TABLE" in plain.out
            assert (await eds(sandbox, "apply", "--yes", url)).code == 0
            await shop_is_at(url, sandbox, server=server)
            assert (await eds(sandbox, "plan", url)).code == 0
            assert {r["outcome"] for r in rows(url, HISTORY)} == {"done"}

    asyncio.run(scenario())


def test_apply_is_heeded_at_the_next_start(tmp_path, url):
    async def scenario():
        review = {"EDS_SCHEMA_CHANGES": "review"}
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url, env=review) as server:
                await publish(sandbox, "brand")
                await server.says("waiting for review")
            async with serving(sandbox, url, env=review) as server:
                await server.says("while the other tables go on: brand.")
            assert (await eds(sandbox, "apply", "--yes", url)).code == 0
            await publish(sandbox, "brand")
            async with serving(sandbox, url, env=review) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_with_off_a_person_makes_the_tables_from_the_plan(tmp_path, url):
    async def scenario():
        off = ("--schema-changes", "off")
        async with streaming(tmp_path, url, args=off) as (sandbox, server):
            _, found = await planned(sandbox, url, "--all")
            only = [t for t in found["tables"] if t["table"] == "vendor"]
            execute(url, *(s for table in only for s in table["statements"]))
            await publish(sandbox, "brand", "vendor")
            await server.says("table brand is parked")
            assert "--schema-changes is off: create table brand" in server.err
            await arrives(url, "vendor", 1, server)
            code, found = await planned(sandbox, url)
            assert (code, found["waiting"]) == (3, ["brand"])
            execute(url, *(s for t in found["tables"] for s in t["statements"]))
            assert (await planned(sandbox, url))[0] == 3  # it is still parked
            assert (await eds(sandbox, "resume", "brand", url)).code == 0
            await shop_is_at(url, sandbox, server=server)
            nothing = lambda: rows(url, HISTORY) == []  # noqa: E731 - a condition
            await until(nothing, 20, server.tail)
            assert (await planned(sandbox, url))[0] == 0

    asyncio.run(scenario())


def test_the_plan_leaves_out_what_the_server_leaves_out(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            policy = ("--only", "brand,vendor", "--exclude-column", "brand.name")
            code, found = await planned(sandbox, sqlite_url, "--all", *policy)
            assert code == 3
            assert [t["table"] for t in found["tables"]] == ["brand", "vendor"]
            assert '"name"' not in found["tables"][0]["statements"][0]
            assert '"name"' in found["tables"][1]["statements"][0]
            assert not (tmp_path / "shop.db").exists()
            wrong = "--exclude-column", "brand.nmae"
            told = await command("plan", sandbox, sqlite_url, *wrong)
            assert "brand.nmae" in told.err
            key = "--exclude-column", "brand.id"
            assert (await command("plan", sandbox, sqlite_url, *key)).code == 2

    asyncio.run(scenario())


def test_a_dry_run_only_says_what_would_wait(tmp_path, sqlite_url):
    async def scenario():
        args = ("--schema-changes", "review", "--dry-run")
        async with streaming(tmp_path, sqlite_url, args=args) as (sandbox, server):
            await publish(sandbox, "brand")
            await server.says("dry run: would park brand")
            assert not (tmp_path / "shop.db").exists()

    asyncio.run(scenario())


def test_an_import_heeds_it_and_goes_on_after_apply(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            lines = tmp_path / "brand.jsonl"
            row = {"id": "a", "companyId": COMPANY, "name": "Acme"}
            row["meta"] = {"version": 1}
            row["updatedDate"] = row["createdDate"] = "2026-01-01T00:00:00Z"
            lines.write_text(json.dumps(row) + "\n")
            review = "--schema-changes", "review"
            asked = "--creds", sandbox.credentials, "--server", sandbox.url
            load = "import", *asked, *review, lines, url
            refused = await eds(sandbox, *load, seconds=30 * PATIENCE)
            assert refused.code == 1, refused.tail()
            assert "eds apply URL" in refused.err
            assert (await eds(sandbox, "apply", "--yes", url)).code == 0
            loaded = await eds(sandbox, *load, seconds=30 * PATIENCE)
            assert loaded.code == 0, loaded.tail()
            query = f"SELECT name FROM {quoted(url, 'brand')}"
            assert value(url, query) == "Acme"

    asyncio.run(scenario())


def test_the_history_is_read_as_the_guide_says(tmp_path, url):
    page = (TOP / "docs" / "guide.md").read_text()
    (query,) = re.findall(r"<!-- sql: history -->\n```sql\n(.*?)```", page, re.DOTALL)

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await publish(sandbox, "brand")
            await shop_is_at(url, sandbox, server=server)
            found = {row["table_name"]: row["outcome"] for row in rows(url, query)}
            assert {"brand", "_eds_checkpoint", "_eds_schema_history"} <= found.keys()
            assert set(found.values()) == {"done"}

    asyncio.run(scenario())


def test_with_off_a_user_who_may_only_write_rows_is_enough(tmp_path, own_postgres):
    """The tables are made by their owner from what `eds plan` prints, as it is."""
    page = (TOP / "docs" / "security.md").read_text()
    (grants,) = re.findall(
        r"<!-- grants: off -->\n  ```sql\n(.*?)  ```", page, re.DOTALL
    )
    role, _, rest = grants.partition(";")
    owner = own_postgres.new_database()
    place = urlsplit(owner)
    user = f"eds_writer:change-me@127.0.0.1:{own_postgres.port}"
    url = place._replace(netloc=user).geturl()
    admin = urlsplit(own_postgres.admin_url)._replace(path=place.path).geturl()
    execute(admin, "DROP ROLE IF EXISTS eds_writer")

    async def scenario():
        off = ("--schema-changes", "off")
        async with Sandbox(tmp_path) as sandbox:
            some = ("--only", "brand,vendor,order")
            made = await command("plan", sandbox, owner, "--all", *some)
            execute(admin, role)
            execute(owner, "GRANT USAGE ON SCHEMA public TO eds_writer")
            early = await eds(sandbox, "doctor", url, *off)
            assert "missing: CREATE on schema public" in early.out, early.out
            execute(owner, made.out, rest)
            for mode in ("off", "review"):
                doctor = await eds(sandbox, "doctor", url, "--schema-changes", mode)
                assert "all that EDS needs are there" in doctor.out, doctor.out
            doctor = await eds(sandbox, "doctor", url)
            assert "missing: CREATE on schema public" in doctor.out
            assert "table brand is another user's" in doctor.out
            async with serving(sandbox, url, args=off) as server:
                await publish(sandbox, "brand", "vendor", "order", "brand")
                await shop_is_at(owner, sandbox, server=server)
                sandbox.use(sandbox.model("brand").with_column("country"))
                await publish(sandbox, "brand")
                await server.says("--exclude-column brand.country")
                lacking = await command("plan", sandbox, url)
                assert "THIS USER MAY NOT: missing: CREATE" in lacking.out
                assert (await command("apply", sandbox, owner, "--yes")).code == 0
                await shop_is_at(owner, sandbox, server=server)

    asyncio.run(scenario())
    execute(admin, "DROP OWNED BY eds_writer CASCADE", "DROP ROLE eds_writer")
