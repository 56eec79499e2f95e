"""The schema of a table: exact, else the latest, else guessed, and mended later."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from eds_core import registry as module
from eds_core.errors import DecodeError
from eds_core.event import ChangeEvent, Message, Operation, Version
from eds_core.intake import Intake
from eds_core.registry import NatsSchemas, Registry
from stream.harness import A, Reader, feeding, in_sandbox, service, soon

PATIENCE = 0.3


def event(table="order", version="", after='{"id": "1", "name": "x"}'):
    message = Message(f"dbchange.{table}.INSERT.{A}.NONE.PUBLIC.1.e", b"", 1, 1)
    row = after.encode()
    return ChangeEvent(
        "e", table, Operation.INSERT, ["1"], Version(1), version, row, message
    )


@asynccontextmanager
async def asking(sandbox, patience=PATIENCE):
    changed = asyncio.Event()
    async with feeding(sandbox) as feed:
        registry = Registry(NatsSchemas(feed, patience), changed.set, patience)
        try:
            yield registry
        finally:
            await registry.close()


async def found(registry, wanted):
    """What it answers once it has asked."""
    assert registry.get(wanted) is None
    await soon(lambda: registry.get(wanted) is not None)
    return registry.get(wanted)


def scenario_with(tmp_path, scenario):
    async def run(sandbox):
        async with asking(sandbox) as registry:
            return await scenario(sandbox, registry)

    return in_sandbox(tmp_path, run)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(module, "_ASK_AGAIN", 0.1)


def test_the_exact_version_is_found_and_asked_for_once(tmp_path):
    async def scenario(sandbox, registry):
        old = sandbox.model("order")
        sandbox.use(old.with_column("points", "Int"))
        wanted = event(version=old.version)
        schema = await found(registry, wanted)
        assert schema.model_version == old.version
        assert "points" not in schema.types
        assert registry.get(wanted) is schema
        assert sandbox.responder.counts == {f"schema.order.{old.version}": 1}

    scenario_with(tmp_path, scenario)


def test_an_unknown_version_gets_the_latest(tmp_path):
    async def scenario(sandbox, registry):
        schema = await found(registry, event(version="f00d"))
        assert schema.model_version == sandbox.model("order").version
        assert not schema.inferred

    scenario_with(tmp_path, scenario)


@pytest.mark.parametrize("version", ["", "x" * 100])
def test_a_version_that_cannot_be_asked_for_gets_the_latest(tmp_path, version):
    async def scenario(sandbox, registry):
        await found(registry, event(version=version))
        assert set(sandbox.responder.counts) == {"schema.order.latest"}

    scenario_with(tmp_path, scenario)


def test_the_latest_gives_way_to_the_version_once_that_is_known(tmp_path, impatient):
    """A look-up that lags behind the stream must not hide a new column for good."""

    async def scenario(sandbox, registry):
        new = sandbox.model("order").with_column("points", "Int")
        wanted = event(version=new.version)
        assert "points" not in (await found(registry, wanted)).types
        sandbox.use(new)
        await soon(lambda: "points" in registry.get(wanted).types)
        schema = registry.get(wanted)
        asked = sandbox.responder.counts.total()
        await asyncio.sleep(0.3)
        assert registry.get(wanted) is schema
        assert sandbox.responder.counts.total() == asked

    scenario_with(tmp_path, scenario)


def test_a_latest_that_stays_the_same_stays_the_same_object(tmp_path, impatient):
    """Another object would cut each batch in two."""

    async def scenario(sandbox, registry):
        wanted = event(version="f00d")
        schema = await found(registry, wanted)
        counts = sandbox.responder.counts
        while counts.total() < 6:
            assert registry.get(wanted) is schema
            await asyncio.sleep(0.02)

    scenario_with(tmp_path, scenario)


def test_without_an_answer_it_is_guessed_from_rows(tmp_path):
    async def scenario(sandbox, registry):
        sandbox.responder.behave(silent=True)
        schema = await found(registry, event(version="f00d"))
        assert schema.inferred
        assert list(schema.types) == ["id", "name"]
        wider = registry.get(event(version="f00d", after='{"id": "1", "n": 5}'))
        assert list(wider.types) == ["id", "n", "name"]

    scenario_with(tmp_path, scenario)


def test_an_unknown_table_is_guessed(tmp_path):
    async def scenario(_, registry):
        assert (await found(registry, event("brand_new"))).inferred

    scenario_with(tmp_path, scenario)


def test_a_guess_is_corrected_when_the_look_up_answers_again(tmp_path, impatient):
    async def scenario(sandbox, registry):
        sandbox.responder.behave(silent=True)
        wanted = event(version=sandbox.model("order").version)
        assert (await found(registry, wanted)).inferred
        sandbox.responder.behave()
        await soon(lambda: not registry.get(wanted).inferred)

    scenario_with(tmp_path, scenario)


def test_a_table_that_is_refused_is_asked_for_again(tmp_path, impatient):
    async def scenario(sandbox, registry):
        model, reply = sandbox.model("order"), sandbox.responder.reply
        bad = {"success": True, "data": {"fields": [{"name": 'a"b', "type": "Int"}]}}
        sandbox.responder.reply = lambda _: bad
        wanted = event(version=model.version)
        registry.get(wanted)
        await soon(lambda: refusal(registry, wanted))
        assert "not a name" in refusal(registry, wanted)
        sandbox.responder.reply = reply
        await soon(lambda: not refusal(registry, wanted))
        assert registry.get(wanted).model_version == model.version

    scenario_with(tmp_path, scenario)


def refusal(registry, wanted):
    try:
        registry.get(wanted)
    except DecodeError as error:
        return str(error)
    return ""


def test_versions_that_nobody_knows_share_the_latest(tmp_path):
    """Two objects that are equal would cut each batch in two, too."""

    async def scenario(_, registry):
        one = await found(registry, event(version="f00d"))
        assert await found(registry, event(version="beef")) is one

    scenario_with(tmp_path, scenario)


@pytest.mark.parametrize("answer", [["what?"], {"success": True, "data": {"x": 1}}])
def test_an_answer_that_is_none_counts_as_none(tmp_path, answer):
    """One fault of the look-up must not put every event of a table in quarantine."""

    async def scenario(sandbox, registry):
        sandbox.responder.reply = lambda _: answer
        schema = await found(registry, event(version="f00d"))
        assert schema.inferred
        assert set(sandbox.responder.counts) == {
            "schema.order.f00d",
            "schema.order.latest",
        }

    scenario_with(tmp_path, scenario)


class Broken:
    """A source of schemas that has a fault of its own."""

    async def fetch(self, table, version):
        raise RuntimeError(f"no {table} {version}")


def test_a_fault_of_the_look_up_does_not_hold_a_table_for_ever(caplog):
    async def scenario():
        registry = Registry(Broken(), lambda: None)
        assert (await found(registry, event())).inferred

    asyncio.run(scenario())

    assert "RuntimeError" in caplog.text


def test_a_slow_answer_is_waited_for(tmp_path):
    async def scenario(sandbox, registry):
        sandbox.responder.behave(delay=0.2)
        model = sandbox.model("order")
        schema = await found(registry, event(version=model.version))
        assert schema.model_version == model.version

    scenario_with(tmp_path, scenario)


def test_nobody_there_to_answer_is_waited_out(tmp_path):
    async def scenario(sandbox, registry):
        model = sandbox.model("order")
        await sandbox.responder.stop()
        assert registry.get(event(version=model.version)) is None
        await asyncio.sleep(PATIENCE / 3)
        await sandbox.responder.start()
        schema = await found(registry, event(version=model.version))
        assert not schema.inferred

    scenario_with(tmp_path, scenario)


def test_private_columns_are_in_no_schema(tmp_path):
    async def scenario(sandbox, registry):
        model = sandbox.model("order")
        described = model.describe()
        field = dict(described["fields"][0], name="secret", private=True)
        field["primary_key"] = False
        described["fields"].append(field)
        reply = {"success": True, "data": described}
        sandbox.responder.reply = lambda _: reply
        schema = await found(registry, event(version=model.version))
        assert set(schema.types) == set(model.column_names)

    scenario_with(tmp_path, scenario)


def test_what_is_remembered_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_CACHED", 5)

    async def scenario(sandbox, registry):
        sandbox.responder.behave(silent=True)
        for number in range(50):
            registry.get(event(f"table{number}"))
        assert len(registry._entries) == 5
        assert all(entry.task for entry in registry._entries.values())

    scenario_with(tmp_path, scenario)


def test_closing_ends_the_questions(tmp_path):
    async def scenario(sandbox, registry):
        sandbox.responder.behave(silent=True)
        registry.get(event())
        began = time.monotonic()
        await registry.close()
        assert time.monotonic() - began < 0.2

    scenario_with(tmp_path, scenario)


def test_a_silent_look_up_delays_only_its_own_table(tmp_path):
    """Through the intake, as the pipeline does."""

    async def scenario(sandbox, registry):
        sandbox.responder.behave("order", silent=True)
        sandbox.responder.behave("user", delay=0.1)
        events = [
            sandbox.shop.insert(table, company=A)
            for table in ("order", "user", "vendor", "order", "user", "vendor")
        ]
        await sandbox.publish_many(events)
        intake = Intake()
        intake.open_lane(A, 0)
        reader = Reader(registry._source._feed)
        reader.follow()
        await reader.has(6)
        for item in reader.messages:
            intake.put([item])
        return await drained(intake, registry)

    async def drained(intake, registry):
        order, reached = [], []
        while len(order) < 6:
            taken = intake.take(registry.get)
            order += [entry.event.table for entry in taken.entries]
            reached.append(taken.reached[A][0])
            await asyncio.sleep(0.01)
        return order, reached

    order, reached = scenario_with(tmp_path, scenario)

    assert order == ["vendor"] * 2 + ["user"] * 2 + ["order"] * 2
    assert reached == sorted(reached)
    assert set(reached[:-1]) == {0}
    assert reached[-1] == 6


def test_a_server_that_is_lost_while_asked_is_asked_again(tmp_path):
    async def scenario(sandbox):
        async with asking(sandbox, patience=5) as registry, service(sandbox):
            sandbox.responder.behave(silent=True)
            model = sandbox.model("order")
            assert registry.get(event(version=model.version)) is None
            await soon(lambda: sandbox.responder.counts)
            sandbox.responder.behave()
            sandbox.server.kill()
            await asyncio.to_thread(sandbox.server.start)
            schema = await found(registry, event(version=model.version))
            assert not schema.inferred

    in_sandbox(tmp_path, scenario)
