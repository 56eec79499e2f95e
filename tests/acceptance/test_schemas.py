"""Tables follow the shop's models: created, extended, widened, nothing private."""

import asyncio
import dataclasses
import json

import msgspec

from acceptance.harness import equal, serving, shop_is_at, starting, streaming, until
from acceptance.tables import rows, table_names, value
from eds_core.sandbox import COMPANY, Sandbox

TYPES = [
    "BigInt",
    "Boolean",
    "Bytes",
    "DateTime",
    "Decimal",
    "Double",
    "Float",
    "Int",
    "Json",
    "String",
]


async def arrived(url, table, count, server):
    """Wait until *table* is there and has *count* rows."""
    query = f'SELECT count(*) FROM "{table}"'
    await until(
        lambda: table in table_names(url) and value(url, query) == count,
        20,
        server.tail,
    )


def others(sandbox, *without):
    state = sandbox.shop.state()
    return {table: state[table] for table in state if table not in without}


def test_a_silent_look_up_delays_only_its_own_table(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            sandbox.responder.behave("brand", silent=True)
            for _ in range(20):
                for table in ("brand", "vendor", "order"):
                    await sandbox.publish(sandbox.shop.insert(table))
            expected, models = others(sandbox, "brand"), sandbox.shop.models
            await equal(url, expected, models, seconds=4, server=server)
            assert "brand" not in table_names(url)
            sandbox.responder.behave()
            await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_kill_9_while_a_look_up_is_awaited_loses_nothing(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            sandbox.responder.behave("brand", silent=True)
            with starting(sandbox, url) as server:
                await server.ready()
                for _ in range(20):
                    await sandbox.publish(sandbox.shop.insert("brand"))
                    await sandbox.publish(sandbox.shop.insert("vendor"))
                await arrived(url, "vendor", 20, server)
                server.kill()
            sandbox.responder.behave()
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_table_whose_model_nobody_knows_is_made_from_its_rows(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            sandbox.responder.forget("brand")
            event = sandbox.shop.insert("brand", {"name": "Acme"})
            await sandbox.publish(event)
            await arrived(url, "brand", 1, server)
            return event.key, rows(url, "SELECT id, name FROM brand")

    key, found = asyncio.run(scenario())

    assert found == [{"id": key[0], "name": "Acme"}]


def test_new_columns_of_every_type_appear(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            for _ in range(5):
                await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(url, sandbox, server=server)
            for kind in TYPES:
                model = sandbox.model("brand").with_column(f"new{kind}", kind)
                sandbox.use(model.with_column(f"some{kind}", kind, list=True))
                for _ in range(4):
                    await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(url, sandbox, server=server)
            assert "quarantined" not in server.err

    asyncio.run(scenario())


def test_an_event_of_an_older_model_leaves_newer_columns_alone(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            shop, old = sandbox.shop, sandbox.model("brand")
            insert = shop.insert("brand")
            sandbox.use(old.with_column("country"))
            await sandbox.publish(shop.update("brand", insert.key, {"country": "NZ"}))
            await shop_is_at(url, sandbox, server=server)
            sandbox.use(old)
            await sandbox.publish(shop.update("brand", insert.key, {"name": "Late"}))
            late = "SELECT count(*) FROM brand WHERE name = 'Late'"
            await until(lambda: value(url, late) == 1, 20, server.tail)
            return value(url, "SELECT country FROM brand")

    assert asyncio.run(scenario()) == "NZ"


def numbered(event, token):
    """*event* with these very digits as its number."""
    body = json.loads(event.payload)
    body["after"]["number"] = msgspec.Raw(token)
    return dataclasses.replace(event, payload=msgspec.json.encode(body))


def test_a_column_that_becomes_text_keeps_every_digit(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            text = sandbox.model("order")
            sandbox.use(text.with_type("number", "Int"))
            numbers = {}

            async def publish(token):
                event = numbered(sandbox.shop.insert("order", {"number": 1}), token)
                await sandbox.publish(event)
                numbers[event.key[0]] = token.decode().strip('"')

            for token in (b"12", b"-7", b"9223372036854775807"):
                await publish(token)
            await arrived(url, "order", 3, server)
            sandbox.use(text)
            for token in (b'"00012"', b'"1e5"', b'"0.10"', b'" 12 "', b'"RO-1"'):
                await publish(token)
            sandbox.use(text.with_type("number", "Int"))  # some still have the old one
            await publish(b"13")
            await arrived(url, "order", 9, server)
            found = rows(url, 'SELECT id, number FROM "order"')
            return numbers, {row["id"]: row["number"] for row in found}

    numbers, found = asyncio.run(scenario())

    assert found == numbers


def test_a_column_that_becomes_decimal_keeps_every_digit(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            model = sandbox.model("brand").with_column("number", "Int")
            sandbox.use(model)
            for token in (b"9007199254740993", b"12"):
                event = sandbox.shop.insert("brand", {"number": msgspec.Raw(token)})
                await sandbox.publish(event)
            await shop_is_at(url, sandbox, server=server)
            sandbox.use(model.with_type("number", "Decimal"))
            for token in (b"0.10000000000000000000001", b"1E+3", b"-5"):
                event = sandbox.shop.insert("brand", {"number": msgspec.Raw(token)})
                await sandbox.publish(event)
            await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_only_public_columns_and_names_with_eds_are_in_the_destination(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await sandbox.run_shop(events=300)
            await shop_is_at(url, sandbox, server=server)
            state, models = sandbox.shop.state(), sandbox.shop.models
            columns = {
                table: {*rows(url, f'SELECT * FROM "{table}"')[0]}
                - {*models[table].column_names}
                for table in state
                if state[table]
            }
            return columns, table_names(url) - set(state)

    columns, tables = asyncio.run(scenario())

    assert set(map(frozenset, columns.values())) == {frozenset({"_eds_version"})}
    assert all(name.startswith("_eds_") for name in tables)


def test_a_column_that_goes_from_the_model_stays_in_the_table(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            shop, old = sandbox.shop, sandbox.model("brand")
            insert = shop.insert("brand", {"name": "kept"})
            await sandbox.publish(insert)
            sandbox.use(old.without_column("name"))
            await sandbox.publish(shop.insert("brand", {"companyId": COMPANY}))
            await arrived(url, "brand", 2, server)
            return {row["name"] for row in rows(url, "SELECT name FROM brand")}

    assert asyncio.run(scenario()) == {"kept", None}
