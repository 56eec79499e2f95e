"""`eds doctor`: what it says when all is well, and which step of the way fails."""

import asyncio
import json
import re
import socket
import time
from contextlib import closing

import pytest

import servers
from acceptance.harness import SCRIPTS, eds, run, shop_is_at, streaming, trust
from acceptance.tables import rows, table_names
from eds_core.sandbox import COMPANY, Permissions, Sandbox, disconnect
from eds_core.testing.proxy import Harm, proxy
from stream.harness import purge

#: What is looked at where there is credentials, NATS and a database.
ALWAYS = {
    *("versions", "credentials", "network", "greeting", "login", "clock", "stream"),
    *("schemas", "database", "own tables", "columns", "owner", "position"),
}


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


async def doctor(sandbox, *urls, server=None, credentials=None, env=None):
    """What `eds doctor --json` finds, by what it is about; and its exit code."""
    creds = credentials or sandbox.credentials
    command = ["doctor", "--creds", creds, "--server", server or sandbox.url, "--json"]
    ended = await eds(sandbox, *command, *urls, env=env, seconds=120)
    assert "Traceback" not in ended.err, ended.tail()
    return json.loads(ended.out), ended


def wrong(told):
    return {f["about"]: f for f in told["findings"] if f["verdict"] == "wrong"}


def only_wrong(told, ended):
    """The one thing that is wrong."""
    (found,) = [f for f in told["findings"] if f["verdict"] == "wrong"]
    assert not told["ok"]
    assert ended.code == 1
    return found


def secrets_of(credentials):
    text = credentials.read_text()
    keys = re.findall(r"eyJ\S+|SU[A-Z0-9]{50,}", text)
    assert len(keys) == 2
    return {servers.PASSWORD, "secret%40word", *(key[-30:] for key in keys)}


def test_all_is_well_and_nothing_is_left_behind_or_secret(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            for table in ("brand", "order", "order"):
                await sandbox.publish(sandbox.shop.insert(table))
            await shop_is_at(url, sandbox, server=server)
            before = table_names(url), rows(url, "SELECT * FROM _eds_checkpoint")
            consumers = await consumers_of(sandbox)
            told, ended = await doctor(sandbox, url)
            plain = await eds(
                sandbox,
                *("doctor", "--creds", sandbox.credentials),
                *("--server", sandbox.url, url),
                seconds=120,
            )
            after = table_names(url), rows(url, "SELECT * FROM _eds_checkpoint")
            assert before == after
            assert await consumers_of(sandbox) == consumers
            return told, ended, plain, secrets_of(sandbox.credentials)

    told, ended, plain, secrets = asyncio.run(scenario())

    assert wrong(told) == {}
    assert told["ok"]
    assert plain.code == ended.code == 0, plain.out + plain.err
    assert {f["about"] for f in told["findings"]} >= ALWAYS
    assert plain.out.endswith("all is well\n")
    position = [f["told"] for f in told["findings"] if f["about"] == "position"]
    assert position == [
        f"company {COMPANY}: at sequence 3, 0 messages are still to come"
    ]
    shown = ended.out + ended.err + plain.out + plain.err
    assert [secret for secret in secrets if secret in shown] == []


async def consumers_of(sandbox):
    client = await sandbox.connect()
    try:
        answer = await client.request("$JS.API.CONSUMER.NAMES.dbchange", b"{}", 10)
        return json.loads(answer.data).get("consumers", [])
    except TimeoutError:  # these credentials may not ask
        return []
    finally:
        await disconnect(client)


def test_nothing_is_made_where_nothing_was(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            return await doctor(sandbox, sqlite_url)

    told, ended = asyncio.run(scenario())

    assert ended.code == 0
    assert wrong(told) == {}
    assert not (tmp_path / "shop.db").exists()


def test_without_credentials_only_the_database_is_looked_at(tmp_path, sqlite_url):
    ended = asyncio.run(run(tmp_path, SCRIPTS / "eds", "doctor", sqlite_url))
    nothing = asyncio.run(run(tmp_path, SCRIPTS / "eds", "doctor"))

    assert ended.code == 0
    assert "NATS" not in ended.out
    assert nothing.code == 2
    assert "nothing to look at" in nothing.err


def test_an_encrypted_nats_is_reached_and_one_that_is_not_trusted_is_told(
    tmp_path, tls
):
    async def scenario():
        async with Sandbox(tmp_path, tls=tls) as sandbox:
            good = await doctor(sandbox, env=trust(sandbox))
            return good, await doctor(sandbox)

    (good, _), (told, ended) = asyncio.run(scenario())

    assert wrong(good) == {}
    found = only_wrong(told, ended)
    assert found["about"] == "login"
    assert "no TLS with NATS" in found["told"]
    assert "SSL_CERT_FILE" in found["advice"]


def with_silent_port(scenario):
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as silent:
        return asyncio.run(scenario(silent.getsockname()[1]))


@pytest.mark.parametrize(
    ("server", "about", "words", "advice"),
    [
        ("nats://nowhere.invalid", "network", "cannot be looked up", "DNS"),
        ("nats://127.0.0.1:{closed}", "network", "refuses connections", "firewall"),
        ("nats://127.0.0.1:{silent}", "greeting", "nothing is said", "firewall"),
    ],
    ids=["name", "port", "greeting"],
)
def test_the_step_of_the_way_that_fails_is_named(
    tmp_path, server, about, words, advice
):
    async def scenario(silent):
        async with Sandbox(tmp_path) as sandbox:
            at = server.format(closed=servers.free_port(), silent=silent)
            return await doctor(sandbox, server=at)

    told, ended = with_silent_port(scenario)

    assert ended.code == 1
    found = wrong(told)
    assert words in found[about]["told"]
    assert advice in found[about]["advice"]
    assert "cannot connect to NATS" in found["login"]["told"]


def test_what_is_no_nats_server_is_told(tmp_path, own_mariadb):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            return await doctor(sandbox, server=f"nats://127.0.0.1:{own_mariadb.port}")

    told, _ = asyncio.run(scenario())

    assert "no NATS server" in wrong(told)["greeting"]["told"]


def test_credentials_of_nobody_and_without_permission_are_told(tmp_path):
    async def scenario():
        async with Sandbox(tmp_path / "a") as sandbox, Sandbox(tmp_path / "b") as other:
            nobody = await doctor(sandbox, credentials=other.credentials)
            allowed = Permissions.for_companies([COMPANY])
            poor = sandbox.issue(permissions=forbidden(allowed))
            return nobody, await doctor(sandbox, credentials=poor)

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (nobody, _), (poor, ended) = asyncio.run(scenario())

    assert "refused the credentials" in wrong(nobody)["login"]["told"]
    assert ended.code == 1
    assert "do not permit" in wrong(poor)["schemas"]["told"]


def forbidden(allowed):
    """Without the look-up of schemas."""
    kept = tuple(s for s in allowed.publish if not s.startswith("schema."))
    assert kept != allowed.publish
    return Permissions(kept, allowed.subscribe)


def test_credentials_that_end_soon_or_can_be_read_by_others_are_a_note(tmp_path):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            soon = sandbox.issue(expires=int(time.time()) + 86_400)
            soon.chmod(0o644)
            return await doctor(sandbox, credentials=soon)

    told, ended = asyncio.run(scenario())

    assert ended.code == 0
    notes = [f for f in told["findings"] if f["verdict"] == "note"]
    assert any("chmod 600" in f["advice"] for f in notes)
    assert any("expires at" in f["told"] for f in notes)


def test_messages_that_are_gone_and_another_stream_are_told(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url) as (sandbox, server):
            await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(sqlite_url, sandbox, server=server)
            await server.stop()
            numbers = [
                await sandbox.publish(sandbox.shop.insert("brand")) for _ in range(5)
            ]
            await purge(sandbox, numbers[-1])
            return await doctor(sandbox, sqlite_url)

    told, ended = asyncio.run(scenario())

    assert ended.code == 1
    found = wrong(told)
    assert "the messages 2 to 5 are gone" in found["position"]["told"]
    assert "eds import" in found["position"]["paste"]


def test_a_database_that_swallows_everything_is_told_with_the_step(
    tmp_path, own_postgres
):
    url = own_postgres.new_database()

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with proxy("127.0.0.1", own_postgres.port) as between:
                between.harm = Harm.SILENCE
                through = url.replace(str(own_postgres.port), str(between.port))
                return await doctor(sandbox, through)

    told, ended = asyncio.run(scenario())

    assert ended.code == 1
    assert "cannot open postgresql://" in wrong(told)["database"]["told"]
