"""Tables that are left out, columns that are taken away: server, import, dry run."""

import asyncio
import json

import pytest

from acceptance.exports import export, imported
from acceptance.harness import run, server_command, serving, streaming, until
from acceptance.tables import execute, rows, table_names, value
from eds_core.sandbox import COMPANY, Sandbox

SALT = {"EDS_HASH_SALT": "0123456789abcdef-of-the-shop"}
HIDES = (
    *("--exclude-column", "customer.note"),
    *("--redact-column", "*.firstName"),
    *("--hash-column", "customer.lastName,customer.appointmentCount"),
)
SECRETS = {"firstName": "secret-ada", "lastName": "secret-love", "note": "secret-n"}
COUNT = "SELECT count(*) FROM customer"


def customer(sandbox):
    return sandbox.shop.insert("customer", SECRETS)


def columns(url):
    (row,) = rows(url, "SELECT * FROM customer")
    return row


def check_hidden(row, directory, *processes):
    assert row["firstName"] == "[redacted]"
    assert len(row["lastName"]) == len(row["appointmentCount"]) == 80
    assert "note" not in row
    for path in directory.glob("shop.db*"):
        assert b"secret-" not in path.read_bytes()
    for process in processes:
        assert "secret-" not in process.out + process.err


async def there(url, query, wanted, server):
    def found():
        return "customer" in table_names(url) and value(url, query) == wanted

    await until(found, 60, server.tail)


def test_a_server_and_an_import_write_the_same_of_what_is_hidden(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            dump = ("--dump-dir", tmp_path / "dump")
            async with serving(sandbox, url, args=(*HIDES, *dump), env=SALT) as server:
                await sandbox.publish(customer(sandbox))
                await there(url, COUNT, 1, server)
            streamed = columns(url)
            check_hidden(streamed, tmp_path, server)
            (dumped,) = (tmp_path / "dump").iterdir()
            assert b"secret-" not in dumped.read_bytes()
            export(sandbox, tmp_path / "export", ["customer"])
            execute(url, "DELETE FROM customer")
            ended = await imported(
                sandbox,
                tmp_path / "export",
                url=url,
                args=(*HIDES, "--verify"),
                env=SALT,
            )
            again = columns(url)
            check_hidden(again, tmp_path, ended)
            assert {n: v for n, v in again.items() if not n.startswith("_eds")} == {
                n: v for n, v in streamed.items() if not n.startswith("_eds")
            }

    asyncio.run(scenario())


def test_tables_that_are_left_out_are_not_there_and_the_position_goes_on(
    tmp_path, sqlite_url
):
    args = ("--only", "customer,label", "--except", "lab*")
    seq = "SELECT seq FROM _eds_checkpoint"

    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=args) as (sandbox, server):
            for _ in range(3):
                await sandbox.publish(sandbox.shop.insert("label"))
            await sandbox.publish_raw(f"dbchange.brand.X.{COMPANY}", b"rubbish")
            await sandbox.publish(customer(sandbox))
            await there(sqlite_url, COUNT, 1, server)
            assert value(sqlite_url, seq) == 5
            export(sandbox, tmp_path / "export", ["customer", "label"])
            ended = await imported(
                sandbox, tmp_path / "export", url=sqlite_url, args=args
            )
            assert "of tables that are left out" in ended.err
        names = {n for n in table_names(sqlite_url) if not n.startswith("_eds")}
        assert names == {"customer"}
        assert value(sqlite_url, "SELECT count(*) FROM _eds_quarantine") == 0

    asyncio.run(scenario())


def test_a_dry_run_obeys_too_and_names_are_checked(tmp_path, sqlite_url):
    args = ("--dry-run", "--except", "lable", "--redact-column", "customer.frstName")

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.publish(customer(sandbox))
            hour = ("--consumer-start-time", "1h")
            async with serving(sandbox, sqlite_url, args=(*args, *hour)) as server:
                await server.says("would write")
            assert "in force: --except lable" in server.err
            assert "--except lable: there is no such table; there is label" in (
                server.err
            )
            assert "no such column in customer; there is firstName" in server.err

    asyncio.run(scenario())


@pytest.mark.parametrize("column", ["id", "companyId"])
def test_a_key_cannot_be_hidden_which_is_told_at_the_start(
    tmp_path, sqlite_url, column
):
    args = ("--redact-column", f"customer.{column}")

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            command = server_command(sandbox, [sqlite_url], args)
            ended = await run(tmp_path, *command)
            assert ended.code == 2
            assert "has to stay" in ended.err

    asyncio.run(scenario())


def test_a_policy_that_comes_later_is_repaired_by_an_import(tmp_path, url):
    """Of numbers the column becomes text; one of JSON stays, and holds a string."""
    hides = (*HIDES, "--hash-column", "customer.meta")

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            async with serving(sandbox, url) as server:
                await sandbox.publish(customer(sandbox))
                await there(url, COUNT, 1, server)
            before = columns(url)
            export(sandbox, tmp_path / "export", ["customer"])
            await imported(sandbox, tmp_path / "export", url=url, args=hides, env=SALT)
            return before, columns(url)

    before, row = asyncio.run(scenario())

    assert before["lastName"] == "secret-love"
    assert row["firstName"] == "[redacted]"
    assert len(row["lastName"]) == len(row["appointmentCount"]) == 80
    assert len(row["meta"].strip('"')) == 80
    assert row["note"] == "secret-n"  # EDS neither writes nor drops it


def test_what_is_hidden_stays_so_when_a_parked_table_resumes(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=HIDES, env=SALT) as both:
            sandbox, server = both
            execute(sqlite_url, "CREATE TABLE customer (x INT)")
            await sandbox.publish(customer(sandbox))
            await server.says("is parked")
            execute(sqlite_url, "DROP TABLE customer")
            execute(sqlite_url, "UPDATE _eds_parked SET resume = 1")
            await there(sqlite_url, COUNT, 1, server)
            check_hidden(columns(sqlite_url), tmp_path, server)

    asyncio.run(scenario())


def test_what_is_quarantined_shows_nothing(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=HIDES, env=SALT) as both:
            sandbox, server = both
            event = customer(sandbox)
            body = json.loads(event.payload)
            body["after"]["transactionCount"] = "many"
            await sandbox.publish_raw(event.subject, json.dumps(body).encode())
            await server.says("quarantined")
            assert "secret-" not in server.err
            for path in tmp_path.glob("shop.db*"):
                assert b"secret-" not in path.read_bytes()

    asyncio.run(scenario())
