"""Kafka keeps the contract of a driver that only appends."""

from __future__ import annotations

from tempfile import gettempdir
from typing import ClassVar

import msgspec
import pytest

from eds_core import ColumnType, Row, Version
from eds_core.testing import DriverConformance
from eds_driver_kafka import KafkaDriver
from eds_driver_kafka.address import parse

LARGE = 4 << 20  # bytes: the kit's largest value has to go through


@pytest.fixture(scope="class")
def destination_url(request, throwaway, tmp_path_factory):
    request.cls.broker = throwaway
    state = tmp_path_factory.mktemp("conformance") / "state.db"
    topic = throwaway.topic(max_message_bytes=LARGE)
    return f"kafka://127.0.0.1:{throwaway.proxied}/{topic}?state={state}"


class TestKafka(DriverConformance):
    scheme = "kafka"
    documented = False  # the support matrix is of the five
    stored_as = dict.fromkeys(ColumnType, "JSON")
    skips: ClassVar = {
        "test_a_database_that_does_not_exist_is_the_users_to_change": (
            "a topic that does not exist is made"
        ),
        "test_a_bulk_load_that_breaks_is_completed_when_repeated": (
            "the producer connects again by itself: nothing breaks"
        ),
        "test_a_migration_whose_answer_is_lost_is_completed": (
            "the one topic is made when EDS connects; columns are in the state"
        ),
    }
    max_examples = 4  # a step is a round trip, a restart takes half a second
    models: ClassVar = {}

    @pytest.fixture(autouse=True)
    def _known_models(self, monkeypatch):
        """A consumer asks the shop what columns a model has; here nobody knows."""
        check = KafkaDriver.check

        def noted(driver, change):
            table = change.table
            self.models[table.name, table.model_version] = table
            check(driver, change)

        monkeypatch.setattr(KafkaDriver, "check", noted)

    @pytest.fixture
    def between(self, broker):
        """The proxy to which the broker itself sends its clients."""
        yield broker.proxy
        broker.proxy.heal()

    def somewhere(self, host, port):
        """The example's directory for the position is not here."""
        return super().somewhere(host, port).replace("/var/lib/eds", gettempdir())

    def fetch(self, driver, table):
        messages = self.broker.read(parse(driver.url).topic)
        return rows_of(messages, table, self.models)

    def drop(self, driver, table):
        """Its records go with the topic."""


class Event(msgspec.Struct, rename="camel"):
    """What a consumer has to know of a record's value."""

    operation: str
    key: list[str]
    mvcc_timestamp: str
    model_version: str = ""
    after: msgspec.Raw = msgspec.Raw()


def rows_of(messages, table, models):
    """What a consumer makes of a topic: of each key the newest, the last of equals."""
    newest, rows = {}, {}
    prefix = f"dbchange.{table.name}.".encode()
    for message in messages:
        if not message.key().startswith(prefix):
            continue
        event = msgspec.json.decode(message.value(), type=Event)
        key, version = tuple(event.key), Version.parse(event.mvcc_timestamp)
        if version < newest.get(key, version):
            continue
        newest[key] = version
        if event.operation == "DELETE":
            rows.pop(key, None)
            continue
        row = Row(key, version, event.after)
        held = rows.setdefault(key, dict.fromkeys(table.types))
        columns = models[table.name, event.model_version].types
        held |= {name: row.get(name, table.types[name]) for name in columns}
    return [*rows.values()]
