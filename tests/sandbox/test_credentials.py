"""The credentials give a shop what upstream gives it, and nothing more."""

import asyncio
import base64
import contextlib
import json
import stat
import time

import nats
import pytest
from nats.errors import Error as NatsError

from eds_core.sandbox import Keys, Permissions, Sandbox, issue_credentials

OURS = "6287a4154d1a72cc5ce091bb"
THEIRS = "c0ffee00c0ffee00c0ffee01"


def claims_of(text):
    jwt = text.splitlines()[1]
    body = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def in_sandbox(tmp_path, scenario):
    async def run():
        async with Sandbox(tmp_path, (OURS, THEIRS)) as sandbox:
            return await scenario(sandbox)

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def connection(sandbox, credentials):
    """A client, and a queue of the errors that the server tells it of."""
    errors = asyncio.Queue()

    async def note(error):
        errors.put_nowait(str(error).lower())

    client = nats.NATS()
    try:
        await client.connect(
            sandbox.url,
            user_credentials=str(credentials),
            error_cb=note,
            allow_reconnect=False,
        )
        yield client, errors
    finally:
        await client.close()


async def soon(errors):
    return await asyncio.wait_for(errors.get(), 5)


def test_a_shops_permissions_are_exactly_those_of_upstream():
    text = issue_credentials(Keys.make(), [OURS, THEIRS], name="shop")
    claims = claims_of(text)
    (session,) = [
        subject.split(".")[2]
        for subject in claims["nats"]["sub"]["allow"]
        if subject.startswith("eds.notify.")
    ]

    assert claims["name"] == "shop"
    assert "exp" not in claims
    assert claims["nats"]["pub"] == {
        "allow": [
            "$JS.API.STREAM.NAMES",
            "$JS.ACK.dbchange.>",
            "$JS.API.CONSUMER.MSG.NEXT.dbchange.>",
            "$JS.API.CONSUMER.>",
            "$JS.API.CONSUMER.*.dbchange.*",
            f"eds.client.{session}.>",
            "_INBOX.>",
            "schema.>",
        ]
    }
    assert claims["nats"]["sub"] == {
        "allow": [
            f"dbchange.*.*.{OURS}.*.PUBLIC.>",
            f"dbchange.*.*.{THEIRS}.*.PUBLIC.>",
            f"eds.notify.{session}.>",
            "_INBOX.>",
        ]
    }


def test_permissions_and_expiry_can_be_given():
    allowed = Permissions(publish=("a.>",), subscribe=("b.>",))
    claims = claims_of(
        issue_credentials(Keys.make(), [], expires=1234, permissions=allowed)
    )

    assert claims["exp"] == 1234
    assert claims["nats"]["pub"] == {"allow": ["a.>"]}
    assert claims["nats"]["sub"] == {"allow": ["b.>"]}


def test_the_keys_of_a_directory_stay_the_same(tmp_path):
    assert Keys.of(tmp_path) == Keys.of(tmp_path)
    assert Keys.of(tmp_path) != Keys.make()


def test_only_the_owner_can_read_secrets(tmp_path):
    async def scenario(sandbox):
        return [sandbox.credentials, sandbox.issue(), tmp_path / "nats" / "keys.json"]

    paths = in_sandbox(tmp_path, scenario)

    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


@pytest.mark.parametrize("subject", ["$JS.API.INFO", "$JS.API.STREAM.INFO.dbchange"])
def test_a_shop_may_not_ask_for_account_or_stream(tmp_path, subject):
    async def scenario(sandbox):
        async with connection(sandbox, sandbox.credentials) as (client, errors):
            with pytest.raises(NatsError):
                await client.request(subject, b"", timeout=0.3)
            return await soon(errors)

    error = in_sandbox(tmp_path, scenario)

    assert "permissions violation for publish" in error


def test_a_shop_may_not_publish_change_events(tmp_path):
    async def scenario(sandbox):
        async with connection(sandbox, sandbox.credentials) as (client, errors):
            await client.publish(f"dbchange.order.INSERT.{OURS}.NONE.PUBLIC.1.a", b"")
            return await soon(errors)

    error = in_sandbox(tmp_path, scenario)

    assert "permissions violation for publish" in error


def test_a_shop_reads_its_events_through_a_named_ephemeral_consumer(tmp_path):
    subject = f"dbchange.*.*.{OURS}.*.PUBLIC.>"
    config = {
        "name": "mine",
        "ack_policy": "none",
        "deliver_policy": "all",
        "filter_subject": subject,
        "mem_storage": True,
        "inactive_threshold": 300 * 10**9,
    }
    create = {"stream_name": "dbchange", "config": config}

    async def scenario(sandbox):
        events = [
            sandbox.shop.insert("brand", company=company)
            for company in (THEIRS, OURS, THEIRS)
        ]
        await sandbox.publish_many(events)
        mine = sandbox.issue([OURS])
        async with connection(sandbox, mine) as (client, errors):
            reply = await client.request(
                f"$JS.API.CONSUMER.CREATE.dbchange.mine.{subject}",
                json.dumps(create).encode(),
            )
            inbox = client.new_inbox()
            arriving = await client.subscribe(inbox)
            await client.publish(
                "$JS.API.CONSUMER.MSG.NEXT.dbchange.mine", b'{"batch": 1}', inbox
            )
            message = await arriving.next_msg(2)
            return json.loads(reply.data), message, events[1], errors

    reply, message, event, errors = in_sandbox(tmp_path, scenario)

    assert errors.empty()
    assert reply["config"]["filter_subject"] == subject
    assert reply["num_pending"] == 1
    assert message.data == event.payload
    assert message.subject == event.subject


def test_a_shop_cannot_subscribe_to_another_companys_subjects(tmp_path):
    async def scenario(sandbox):
        mine = sandbox.issue([OURS])
        async with connection(sandbox, mine) as (client, errors):
            await client.subscribe(f"dbchange.*.*.{OURS}.*.PUBLIC.>")
            await client.subscribe(f"dbchange.*.*.{THEIRS}.*.PUBLIC.>")
            return await soon(errors)

    error = in_sandbox(tmp_path, scenario)

    assert "permissions violation for subscription" in error
    assert THEIRS in error


def test_expired_credentials_are_refused(tmp_path):
    async def scenario(sandbox):
        expired = sandbox.issue(expires=int(time.time()) - 10)
        with pytest.raises(NatsError, match=r"(?i)authorization|expired"):
            async with connection(sandbox, expired):
                pass

    in_sandbox(tmp_path, scenario)
