"""`eds status`, and the queries for BI: what a database tells of itself."""

import asyncio
import json
import re
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from acceptance.harness import eds, shop_is_at, streaming, until
from acceptance.tables import execute, rows, table_names, value
from eds_core.sandbox import COMPANY

PAGE = Path(__file__).parents[2] / "docs" / "diagnosis.md"
OWN_COLUMN = "CREATE TABLE brand (id VARCHAR(64) PRIMARY KEY, own INTEGER NOT NULL)"
KEPT = "SELECT count(*) FROM _eds_quarantine"


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


def spoil(url):
    """A table that EDS cannot fill."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()
    execute(url, OWN_COLUMN)


async def reported(sandbox, url):
    """Statuses are written once a second, with what comes then."""
    names = "SELECT table_name FROM _eds_status"
    for _ in range(200):
        if {"vendor", "order"} <= {row["table_name"] for row in rows(url, names)}:
            return
        await publish(sandbox, "vendor", "order")
        await asyncio.sleep(0.1)
    raise AssertionError("no status was written")


async def publish(sandbox, *tables):
    for table in tables:
        await sandbox.publish(sandbox.shop.insert(table))


async def status(sandbox, *arguments):
    return await eds(sandbox, "status", *arguments)


async def make_trouble(sandbox, server, url):
    """One table that cannot be written to, and two messages of one kind of poison."""
    for _ in range(2):
        misfit = sandbox.shop.insert("order", {"messageCount": "many"})
        await sandbox.publish(misfit)
    await publish(sandbox, "customer", "brand", "vendor", "order")
    await server.says("table brand is parked")
    await until(lambda: value(url, KEPT) == 2, 40, server.tail)
    names = {"customer", "vendor", "order"}
    await until(lambda: names <= set(table_names(url)), 40, server.tail)


def blocks(database, mark="sql"):
    """The page's blocks with *mark*: those for all, and those of *database*."""
    found = re.findall(
        rf"<!-- {mark}: (\w+) -->\n```sql\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    return [query for name, query in found if name in ("all", database)]


def for_reports(database):
    """The queries that need none of the tables that quote values."""
    every = blocks(database)
    return [query for query in every if "_eds_parked" not in query]


def test_all_is_well_while_the_server_runs_and_nothing_is_left_behind(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await publish(sandbox, "brand", "vendor", "brand")
            await shop_is_at(url, sandbox, server=server)
            # How fresh a table is, is written with the rows or a moment later.
            counted = "SELECT sum(rows_written) FROM _eds_status"
            await until(lambda: value(url, counted) == 3)
            before = table_names(url), rows(url, "SELECT * FROM _eds_checkpoint")
            plain = await status(sandbox, url)
            told = await status(sandbox, url, "--json", "--max-age", "1h")
            after = table_names(url), rows(url, "SELECT * FROM _eds_checkpoint")
            assert before == after
            return plain, told, server.pid

    plain, told, pid = asyncio.run(scenario())

    assert plain.code == told.code == 0, plain.tail()
    assert "all is well" in plain.out
    assert f"company {COMPANY}" in plain.out
    assert f"process {pid}, since " in plain.out
    (found,) = json.loads(told.out)
    (company,) = found["companies"]
    assert company["company"] == COMPANY
    assert company["sequence"] == 3
    assert company["as_of"].startswith("20")
    assert 0 <= company["seconds_since_update"] < 3600
    assert {t["table"]: t["rows"] for t in found["tables"]} == {"brand": 2, "vendor": 1}
    assert all(t["state"] == "ok" and t["lag"] >= 0 for t in found["tables"])
    assert found["findings"] == []


def test_what_needs_a_person_is_told_with_its_command(tmp_path, url):
    async def scenario():
        spoil(url)
        async with streaming(tmp_path, url) as (sandbox, server):
            await make_trouble(sandbox, server, url)
            running = await status(sandbox, url)
            told = await status(sandbox, url, "--json")
            await server.stop()
            stopped = await status(sandbox, url)
        return running, told, stopped

    running, told, stopped = asyncio.run(scenario())

    assert running.code == told.code == stopped.code == 1
    assert "eds resume brand " in running.out
    assert "2 of table order" in running.out
    assert "eds quarantine list " in running.out
    assert "its server is gone" not in running.out
    assert "its server is gone" in stopped.out
    (found,) = json.loads(told.out)
    assert [each["table"] for each in found["parked"]] == ["brand"]
    assert "own" in found["parked"][0]["reason"]
    assert [(g["table"], g["count"]) for g in found["quarantined"]] == [("order", 2)]
    assert {f["about"] for f in found["findings"]} == {"parked", "quarantine"}
    assert "ecret" not in running.out + told.out + stopped.out


def test_a_database_that_nobody_has_written_to_needs_somebody(tmp_path, url):
    async def scenario():
        other = f"sqlite:///{tmp_path}/other.db"
        async with streaming(tmp_path, other) as (sandbox, _):
            return await status(sandbox, url, "sqlite:///nowhere/x.db")

    found = asyncio.run(scenario())

    assert found.code == 1
    assert "no company has a position here" in found.out
    assert "there is no directory nowhere" in found.out
    assert not (tmp_path / "shop.db").exists()


def test_a_position_that_does_not_move_is_told(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url) as (sandbox, server):
            await publish(sandbox, "brand")
            await shop_is_at(sqlite_url, sandbox, server=server)
            return await status(sandbox, sqlite_url, "--max-age", "1ms")

    found = asyncio.run(scenario())

    assert found.code == 1
    assert "has not moved for" in found.out
    assert "eds doctor --creds" in found.out


def test_the_pages_queries_run_and_tell_the_same(tmp_path, url):
    database = url.partition(":")[0].replace("postgresql", "postgres")

    async def scenario():
        spoil(url)
        async with streaming(tmp_path, url) as (sandbox, server):
            await make_trouble(sandbox, server, url)
            await reported(sandbox, url)
            return [rows(url, query) for query in blocks(database)]

    fresh, oldest, figure, needs, *own = asyncio.run(scenario())

    states = {row["table_name"]: row["state"] for row in fresh}
    assert states["brand"] == "parked"
    assert states["order"] == states["vendor"] == "ok"
    as_of = {row["table_name"]: row["as_of"] for row in fresh}
    assert as_of["order"] > "2026"
    assert oldest[0]["as_of"] <= as_of["order"]
    assert figure == [{"customers": 1, "as_of": oldest[0]["as_of"]}]
    assert {row["table_name"] for row in needs} == {"brand", "order"}
    (minutes,) = own
    assert 0 <= float(minutes[0]["minutes_behind"]) < 60


def test_the_query_for_power_bi_runs(tmp_path, postgres_url):
    (query,) = re.findall(r'Query = "(.*?)"', PAGE.read_text())

    async def scenario():
        async with streaming(tmp_path, postgres_url) as (sandbox, server):
            await publish(sandbox, "customer")
            await shop_is_at(postgres_url, sandbox, server=server)
            return rows(postgres_url, query)

    (found,) = asyncio.run(scenario())
    assert found["as_of"] > "2026"


@pytest.fixture(params=["postgres", "mariadb"])
def reports(request):
    """A database, who administrates it, the reader's URL, and how it is refused."""
    server = request.getfixturevalue(f"own_{request.param}")
    url = server.new_database()
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}{parts.path}"
    reader = f"{parts.scheme}://reports:change-me@{place}"
    if request.param == "postgres":
        admin = f"postgresql://postgres@{place}"
        yield request.param, url, partial(execute, admin), reader, "permission denied"
        execute(admin, "DROP OWNED BY reports", "DROP ROLE reports")
    else:
        yield request.param, url, server.execute, reader, "command denied"
        server.execute("DROP USER reports")


def test_a_user_for_reports_reads_what_the_page_grants_and_no_more(tmp_path, reports):
    database, url, as_administrator, reader, refused = reports
    name = urlsplit(url).path.removeprefix("/")
    (statements,) = blocks(database, "reader")

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await publish(sandbox, "customer", "order")
            await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())
    given = statements.replace("shop.", f"{name}.").split(";")
    as_administrator(*filter(None, map(str.strip, given)))

    for query in for_reports(database):
        assert rows(reader, query)
    with pytest.raises(Exception, match=refused):
        rows(reader, "SELECT payload FROM _eds_quarantine")
