"""What happens to NATS, its stream and the credentials while a server streams."""

import asyncio
import base64
import shutil

import msgspec
import pytest

from acceptance.harness import (
    equal,
    run,
    server_command,
    serving,
    shop_is_at,
    starting,
    until,
)
from acceptance.tables import table_names, value
from eds_core.sandbox import COMPANY, Permissions, Sandbox, disconnect, fold
from eds_core.sandbox.publisher import create_stream


def empty(sandbox):
    """Kill the server and start it with nothing in its store."""
    sandbox.server.kill()
    shutil.rmtree(sandbox.server.directory / "store")
    sandbox.server.start()


async def make_stream(sandbox):
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        await create_stream(client, {})
    finally:
        await disconnect(client)


def user_of(path):
    """The public key of the user whose credentials these are."""
    token = path.read_text().splitlines()[1]
    claims = token.split(".")[1]
    return msgspec.json.decode(_base64(claims))["sub"]


def _base64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.survives(
    "NATS comes back without its stream",
    "its store removed",
    "it says so and waits for the stream",
)
def test_a_stream_that_is_gone_is_said_and_waited_for(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, sqlite_url) as server:
            await asyncio.to_thread(empty, sandbox)
            await server.says("stream not found", 30)
            await asyncio.sleep(2)
            assert server.code is None, server.tail()
            await make_stream(sandbox)
            event = sandbox.shop.insert("brand")
            await sandbox.publish(event)
            await equal(sqlite_url, fold([event]), sandbox.shop.models, server=server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "The stream is made anew",
    "its store removed, the stream made again",
    "it stops with words: positions mean nothing now",
)
def test_a_stream_made_anew_stops_with_words(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url) as server:
                await server.ready()
                await sandbox.run_shop(events=50)
                await shop_is_at(url, sandbox, server=server)
                await asyncio.to_thread(empty, sandbox)
                await make_stream(sandbox)
                await sandbox.run_shop(events=5)
                await server.ended(40)
                return server

    server = asyncio.run(scenario())

    assert server.code == 1
    assert "the stream was made anew" in server.err
    assert "Traceback" not in server.err


@pytest.mark.survives(
    "The credentials are revoked while it runs",
    "the account's revocation list",
    "it says so; a new file in the same place is taken without a restart",
)
def test_credentials_that_are_revoked_are_told_and_a_new_file_is_picked_up(
    tmp_path, sqlite_url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            creds = sandbox.issue()
            async with serving(sandbox, sqlite_url, credentials=creds) as server:
                await sandbox.run_shop(events=20)
                sandbox.server.revoke(user_of(creds))
                await server.says("refused the credentials", 30)
                await sandbox.run_shop(events=20)
                sandbox.issue().replace(creds)
                await shop_is_at(sqlite_url, sandbox, server=server)
                return server.err, creds.read_text().splitlines()

    told, lines = asyncio.run(scenario())

    assert not [line for line in lines if len(line) > 40 and line in told]


@pytest.mark.survives(
    "The file is replaced by another company's",
    "on disk, then NATS restarted",
    "it says so and reads on with the right one only",
)
def test_credentials_of_another_company_do_not_take_this_ones_place(
    tmp_path, sqlite_url
):
    other = "b" * 24

    async def scenario():
        async with Sandbox(tmp_path, [COMPANY, other]) as sandbox:
            creds = sandbox.issue([COMPANY])
            async with serving(sandbox, sqlite_url, credentials=creds) as server:
                await sandbox.run_shop(events=30)
                sandbox.issue([other]).replace(creds)
                await asyncio.to_thread(sandbox.server.kill)
                await asyncio.to_thread(sandbox.server.start)
                await server.says(f"not of company {COMPANY} any more", 40)
                assert server.code is None
                sandbox.issue([COMPANY]).replace(creds)
                mine = [e for e in sandbox.published if e.company == COMPANY]
                await equal(
                    sqlite_url, fold(mine), sandbox.shop.models, 60, server=server
                )

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("$JS.API.CONSUMER.", "publish to $JS.API.CONSUMER.INFO.dbchange.eds-server-"),
        ("_INBOX.", "subscribe to _INBOX."),
    ],
)
@pytest.mark.survives(
    "A permission is missing",
    "credentials without it",
    "it names the permission",
)
def test_a_permission_that_is_missing_is_named_at_the_start(
    tmp_path, sqlite_url, missing, words
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            creds = sandbox.issue(permissions=without(missing))
            command = server_command(sandbox, [sqlite_url], (), creds)
            return await run(tmp_path, *command)

    done = asyncio.run(scenario())

    assert done.code == 1
    assert f"error: these credentials do not permit to {words}" in done.err
    assert "ask Shopmonkey" in done.err


@pytest.mark.survives(
    "Schemas may not be asked for",
    "credentials without schema.>",
    "it says so and types columns by the rows",
)
def test_without_the_permission_to_ask_for_schemas_rows_are_written_all_the_same(
    tmp_path, sqlite_url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            creds = sandbox.issue(permissions=without("schema."))
            async with serving(sandbox, sqlite_url, credentials=creds) as server:
                await sandbox.publish(sandbox.shop.insert("brand"))
                await server.says("do not permit to publish to schema.brand.")
                count = "SELECT count(*) FROM brand"
                there = lambda: "brand" in table_names(sqlite_url)  # noqa: E731 - asked again and again
                await until(there, 3, server.tail)
                await until(lambda: value(sqlite_url, count) == 1, 3, server.tail)

    asyncio.run(scenario())


def without(missing):
    whole = Permissions.for_companies([COMPANY])
    kept = [
        tuple(subject for subject in subjects if not subject.startswith(missing))
        for subjects in (whole.publish, whole.subscribe)
    ]
    return Permissions(*kept)
