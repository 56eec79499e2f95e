"""Ten typical faults: each is found by `eds doctor`, or told by the message alone."""

import asyncio
import re
import shutil
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import servers
from acceptance.harness import serving, shop_is_at, starting, streaming, until
from acceptance.tables import execute, value
from acceptance.test_doctor import doctor, wrong
from eds_core.sandbox import Sandbox
from eds_core.testing.proxy import Harm, proxy
from faults.victims import small_disk

KEPT = "SELECT count(*) FROM _eds_quarantine"


@pytest.fixture(params=["postgres", "mariadb"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


async def refused(sandbox, url, **options):
    """What a server says that cannot start."""
    with starting(sandbox, url, **options) as server:
        await server.ended(60)
        return server


async def both(sandbox, url, **options):
    """What the doctor finds, and what the server says by itself."""
    told, _ = await doctor(sandbox, url, **options)
    return wrong(told), await refused(sandbox, url)


def test_1_a_wrong_password(tmp_path, url):
    bad = url.replace("secret", "wrong-secret")

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            return await both(sandbox, bad)

    found, server = asyncio.run(scenario())

    assert "check the user and the password" in found["database"]["advice"]
    assert server.code == 2
    assert "check the user and the password" in server.err
    assert "wrong-secret" not in str(found) + server.err
    assert found["database"]["code"] == "E2102"
    assert "[E2102]" in server.err


@contextmanager
def poor_user(server):
    """One who may log in, and nothing else."""
    server.execute("DROP ROLE IF EXISTS {}", "poor_one")
    server.execute(f"CREATE ROLE {{}} LOGIN PASSWORD '{servers.PASSWORD}'", "poor_one")
    yield "poor_one"
    server.execute("DROP ROLE {}", "poor_one")


def test_2_no_create_privilege(tmp_path, own_postgres):
    url = own_postgres.new_database()
    database = url.rpartition("/")[2]
    admin = urlsplit(own_postgres.admin_url)._replace(path=f"/{database}").geturl()

    async def scenario(poor):
        async with Sandbox(tmp_path) as sandbox:
            found, server = await both(sandbox, poor)
            pasted = found["privileges"]["paste"]
            await asyncio.to_thread(execute, admin, pasted)
            async with serving(sandbox, poor) as mended:
                await sandbox.publish(sandbox.shop.insert("brand"))
                await shop_is_at(poor, sandbox, server=mended)
            return found, server

    with poor_user(own_postgres) as name:
        found, server = asyncio.run(scenario(url.replace("//eds:", f"//{name}:")))
        execute(admin, f"DROP OWNED BY {name} CASCADE")

    assert "missing: CREATE on schema public" in found["privileges"]["told"]
    assert server.code == 2
    assert "GRANT CREATE" in server.err
    assert "[E2105]" in server.err


def test_3_expired_credentials(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            old = sandbox.issue(expires=int(time.time()) - 60)
            told, _ = await doctor(sandbox, credentials=old)
            return wrong(told), await refused(sandbox, sqlite_url, credentials=old)

    found, server = asyncio.run(scenario())

    assert "expired at" in found["credentials"]["told"]
    assert "ask Shopmonkey" in found["credentials"]["advice"]
    assert server.code == 2
    assert "expired at" in server.err
    assert found["credentials"]["code"] == "E1103"
    assert "[E1103]" in server.err


def test_4_a_firewall_before_nats(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with proxy("127.0.0.1", sandbox.server.port) as between:
                between.harm = Harm.SILENCE
                nats = f"nats://127.0.0.1:{between.port}"
                told, _ = await doctor(sandbox, server=nats)
                server = await refused(sandbox, sqlite_url, nats=nats)
            return wrong(told), server

    found, server = asyncio.run(scenario())

    # nats-server hangs up on who does not log in: only its own silence is sure
    assert re.search("nothing is said|without a word", found["greeting"]["told"])
    assert "firewall" in found["greeting"]["advice"]
    assert found["login"]["code"] == "E3001"
    assert server.code == 1
    assert "firewall" in server.err


def test_4_a_firewall_before_the_database(tmp_path, own_postgres):
    url = own_postgres.new_database()

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with proxy("127.0.0.1", own_postgres.port) as between:
                between.harm = Harm.SILENCE
                port = str(own_postgres.port)
                return await both(sandbox, url.replace(port, str(between.port)))

    found, server = asyncio.run(scenario())

    assert "timeout expired" in found["database"]["told"]
    assert "firewall" in found["database"]["advice"]
    assert found["database"]["code"] == "E2101"
    assert server.code == 1
    assert "firewall" in server.err


def test_5_a_wrong_warehouse(tmp_path, snowflake_url):
    if "account=emulated" not in snowflake_url:
        pytest.skip("the stand-in has a warehouse that is not there")
    bad = snowflake_url.replace("warehouse=W", "warehouse=NOT_THERE")

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            return await both(sandbox, bad)

    found, server = asyncio.run(scenario())

    grant = "GRANT USAGE ON WAREHOUSE NOT_THERE TO ROLE"
    assert "no warehouse is selected" in found["database"]["told"]
    assert grant in found["database"]["advice"]
    assert server.code == 2
    assert grant in server.err
    assert "[E2120]" in server.err


@pytest.fixture(scope="session")
def clock(tmp_path_factory):
    """The environment of a program whose clock is so many seconds off."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the clock of a process cannot be changed")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    command = [compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True)
    return lambda offset: {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}


@pytest.mark.parametrize(
    ("offset", "words"), [(3600, "1 h 0 min ahead of"), (-3600, "1 h 0 min behind")]
)
def test_6_a_clock_that_is_off_by_an_hour(tmp_path, postgres_url, clock, offset, words):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            told, _ = await doctor(sandbox, postgres_url, env=clock(offset))
            return told

    told = asyncio.run(scenario())

    found = wrong(told)
    assert set(found) == {"clock"}
    # A second or two may pass between question and answer.
    hour = words.replace("1 h 0 min ", "")
    assert hour in found["clock"]["told"]
    assert any(t in found["clock"]["told"] for t in ("1 h 0 min", "59 min"))
    assert "timedatectl set-ntp true" in found["clock"]["paste"]
    notes = [f["told"] for f in told["findings"] if f["verdict"] == "note"]
    assert any("the database's" in note for note in notes)


def test_7_a_full_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    url = f"sqlite:///{place / 'shop.db'}"

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            full = asyncio.create_task(server.says("disk is full", 90))
            while not full.done():
                await sandbox.run_shop(events=200)
            await full
            told, _ = await doctor(sandbox, url)
            (place / "ballast").unlink()
            return wrong(told), server.err

    with small_disk(place, 8):
        (place / "ballast").write_bytes(bytes(6 << 20))
        found, err = asyncio.run(scenario())

    assert "free at" in found["disk"]["told"]
    assert "make room" in found["disk"]["advice"]
    assert "make room on the database's disk [E2110]" in err


def test_8_a_locked_table(tmp_path, own_postgres):
    url = own_postgres.new_database()

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(url, sandbox, server=server)
            with closing(psycopg.connect(url, application_name="a report")) as holder:
                holder.execute("LOCK TABLE brand IN EXCLUSIVE MODE")
                await sandbox.publish(sandbox.shop.insert("brand"))
                told, _ = await doctor(sandbox, url)
                await server.says("holds a lock on the table [E2112]", 60)
                pasted = wrong(told)["locks"]["paste"]
                execute(own_postgres.admin_url, pasted)
            await shop_is_at(url, sandbox, 60, server)
            return wrong(told)

    found = asyncio.run(scenario())

    assert "table brand is locked" in found["locks"]["told"]
    assert "a report" in found["locks"]["told"]


def test_9_a_column_that_a_user_renamed(tmp_path, url):
    quote = "`" if url.startswith("mariadb") else '"'
    rename = f"ALTER TABLE brand RENAME COLUMN {quote}name{quote} TO label"

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await sandbox.publish(sandbox.shop.insert("brand", {"name": "Volta"}))
            await shop_is_at(url, sandbox, server=server)
            execute(url, rename)
            told, _ = await doctor(sandbox, url)
            found = wrong(told)
            execute(url, found["columns"]["paste"].replace("`", '"'))
            await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(url, sandbox, server=server)
            again, _ = await doctor(sandbox, url)
            return found, wrong(again)

    found, then = asyncio.run(scenario())

    assert set(found) == {"columns"}
    assert "has no column name" in found["columns"]["told"]
    assert "label; was it renamed?" in found["columns"]["told"]
    assert then == {}


def test_10_a_row_that_is_poison(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            poison = sandbox.shop.insert("order", {"messageCount": "many"})
            await sandbox.publish(poison)
            await sandbox.publish(sandbox.shop.insert("order"))
            await until(lambda: value(url, KEPT) == 1, 40, server.tail)
            told, _ = await doctor(sandbox, url)
            return wrong(told), server.err

    found, err = asyncio.run(scenario())

    assert set(found) == {"quarantine"}
    assert "1 of table order" in found["quarantine"]["told"]
    assert "eds quarantine list" in found["quarantine"]["paste"]
    assert "[E2117]" in found["quarantine"]["told"]
    assert "quarantine" in err
