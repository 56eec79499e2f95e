"""The driver on a real broker: what is written, and what goes wrong."""

from __future__ import annotations

import json
import logging

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from eds_core import (
    ColumnType,
    ConfigError,
    ConflictError,
    RejectedError,
    SchemaChange,
    TableError,
    TransientError,
    Version,
    VersionedKey,
)
from eds_core.testing.shop import row_of, table_of
from eds_driver_kafka import KafkaDriver
from eds_driver_kafka.producer import _SETTINGS as SETTINGS
from eds_driver_kafka.records import HEADER, of_row

ORDER = table_of("order", name=ColumnType.TEXT)


@pytest.fixture
def driver_on(tmp_path):
    """A way to open drivers; each is closed in the end."""
    made = []

    def opened(place, more="", table=ORDER):
        state = tmp_path / "state.db"
        driver = KafkaDriver(f"kafka://{place}?state={state}{more}")
        made.append(driver)
        driver.open()
        driver.ledger.create()
        driver.migrate(SchemaChange(table, creates=True))
        return driver

    yield opened
    for driver in made:
        driver.close()


def row(number, version=1, name="x"):
    return row_of(ORDER, version, id=str(number), name=name)


def keys_and_versions(messages):
    """What a consumer sees of each row, in its order."""
    seen = {}
    for message in messages:
        event = of_message(message)
        seen.setdefault(event["key"][0], []).append(event["mvccTimestamp"])
    return seen


def of_message(message):
    return json.loads(message.value())


def test_a_record_is_where_its_partition_key_says(broker, driver_on):
    topic = broker.topic(partitions=5)
    rows = [row(number) for number in range(40)]

    driver_on(f"{broker.address}/{topic}").upsert(ORDER, rows)

    expected = {of_row(ORDER, each).key: of_row(ORDER, each) for each in rows}
    found = broker.read(topic)
    assert len(found) == len(rows)
    for message in found:
        record = expected[message.key()]
        assert message.value() == record.value
        assert message.headers() == [(HEADER, record.partition_key)]
        assert message.partition() == record.partition(5)


def test_the_changes_of_a_row_stay_in_their_order(broker, driver_on):
    topic = broker.topic(partitions=4)
    driver = driver_on(f"{broker.address}/{topic}")

    for version in range(1, 11):
        driver.upsert(ORDER, [row(number, version) for number in range(50)])
        driver.delete(ORDER, [VersionedKey(("0",), Version(version))])

    seen = keys_and_versions(broker.read(topic))
    assert len(seen) == 50
    assert all(
        versions == sorted(versions, key=Version.parse) for versions in seen.values()
    )


def test_what_is_rolled_back_was_never_sent(broker, driver_on):
    topic = broker.topic()
    driver = driver_on(f"{broker.address}/{topic}")

    def fails():
        with driver.transaction():
            driver.upsert(ORDER, [row(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    assert broker.read(topic) == []


def test_a_topic_that_is_not_there_is_made(broker, driver_on):
    topic = f"{broker.topic()}_new"

    driver_on(f"{broker.address}/{topic}").upsert(ORDER, [row(1)])

    assert len(broker.read(topic)) == 1


def test_nothing_is_made_by_looking(broker, tmp_path):
    topic = f"{broker.topic()}_none"
    driver = KafkaDriver(f"kafka://{broker.address}/{topic}?state={tmp_path}/state.db")
    driver.read_only = True

    driver.open()
    driver.close()

    assert topic not in broker.admin.list_topics(timeout=30).topics
    assert list(tmp_path.iterdir()) == []


def test_each_table_may_have_a_topic(broker, driver_on):
    topic = f"{broker.topic()}_{{table}}"

    driver_on(f"{broker.address}/{topic}").upsert(ORDER, [row(1)])

    assert len(broker.read(topic.format(table="order"))) == 1


def test_a_row_too_large_for_the_topic_is_the_rows_fault(broker, driver_on):
    topic = broker.topic(max_message_bytes=20_000)
    driver = driver_on(f"{broker.address}/{topic}")

    with driver.transaction():
        driver.upsert(ORDER, [row(number, name="y" * 5_000) for number in range(20)])
        with pytest.raises(RejectedError, match="too large for its topic"):
            driver.upsert(ORDER, [row("large", name="y" * 20_000)])

    assert len(broker.read(topic)) == 20


def test_a_row_that_just_fits_goes_through(broker, driver_on):
    topic = broker.topic(max_message_bytes=20_000)
    driver = driver_on(f"{broker.address}/{topic}")
    size = of_row(ORDER, row(1, name="")).size

    driver.upsert(ORDER, [row(1, name="y" * (20_000 - 200 - size))])

    assert len(broker.read(topic)) == 1


def test_a_row_that_only_the_broker_knows_to_be_too_large_is_told_from_others(
    broker, driver_on
):
    topic = broker.topic(partitions=1)
    driver = driver_on(f"{broker.address}/{topic}")
    lower_limit(broker, topic, 20_000)
    rows = [row(number, name="y" * 5_000) for number in range(20)]
    rows.insert(7, row("large", name="y" * 30_000))

    with pytest.raises(ConflictError, match="size"):
        driver.upsert(ORDER, rows)
    with pytest.raises(RejectedError, match="refuses"):
        driver.upsert(ORDER, rows)
    driver.upsert(ORDER, [each for each in rows if each.key != ("large",)])

    seen = keys_and_versions(broker.read(topic))
    assert seen.keys() == {str(number) for number in range(20)}


def lower_limit(broker, topic, most):
    """While the driver runs, so that it does not know."""
    entry = ConfigEntry(
        "max.message.bytes", str(most), incremental_operation=AlterConfigOpType.SET
    )
    config = ConfigResource(
        ConfigResource.Type.TOPIC, topic, incremental_configs=[entry]
    )
    broker.admin.incremental_alter_configs([config])[config].result(30)


def test_a_topic_that_is_deleted_is_made_again(broker, driver_on):
    topic = broker.topic(partitions=1)
    driver = driver_on(f"{broker.address}/{topic}", "&client.id=test")
    driver.upsert(ORDER, [row(1)])
    broker.admin.delete_topics([topic])[topic].result(30)

    # As the server does: once more, then look at the table again.
    for _ in range(3):
        try:
            driver.upsert(ORDER, [row(2)])
            break
        except (ConflictError, TransientError):
            driver.open()
        except TableError:
            driver.migrate(SchemaChange(ORDER))

    seen = keys_and_versions(broker.fresh(topic))
    assert seen.keys() == {"2"}


def test_a_broker_that_is_away_is_waited_for(broker, driver_on):
    topic = broker.topic()
    driver = driver_on(f"{broker.address}/{topic}")
    broker.stop()
    try:
        with pytest.raises(TransientError) as away:
            driver.open()
        with pytest.raises(TransientError):
            driver.upsert(ORDER, [row(1)])
    finally:
        broker.start()
    driver.open()
    driver.upsert(ORDER, [row(1)])

    assert "brokers" in away.value.advice
    assert len(broker.fresh(topic)) == 1


def login(broker, password=None):
    return f"{broker.user}:{password or broker.password}@127.0.0.1:{broker.sasl}"


def grant(topic, operation):
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:eds",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )


def test_a_user_who_may_write_to_the_topic_needs_no_more(broker, driver_on):
    topic = broker.topic()
    broker.allow(grant(topic, AclOperation.WRITE))

    driver_on(f"{login(broker)}/{topic}").upsert(ORDER, [row(1)])

    assert len(broker.read(topic)) == 1


@pytest.mark.parametrize("may", ["nothing", "read"])
def test_a_user_who_may_not_write_is_told_what_to_grant(broker, driver_on, may):
    topic = broker.topic()
    if may == "read":
        broker.allow(grant(topic, AclOperation.READ))

    with pytest.raises(ConfigError, match="authorization failed") as refused:
        driver_on(f"{login(broker)}/{topic}")

    assert f"User:eds --operation Write --topic {topic}" in refused.value.advice


def test_of_a_topic_for_each_table_only_that_table_is_at_fault(broker, driver_on):
    topic = f"{broker.topic()}_{{table}}"

    with pytest.raises(TableError, match="authorization failed") as refused:
        driver_on(f"{login(broker)}/{topic}")

    assert refused.value.table == "order"
    assert "kafka-acls.sh" in refused.value.advice


def test_a_wrong_password_is_the_users_to_change(broker, driver_on, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as refused:
        driver_on(f"{login(broker, 'hid-den')}/{broker.topic()}")

    assert "password" in refused.value.advice
    assert "hid-den" not in str(refused.value) + caplog.text


def test_tls_with_the_brokers_authority(broker, driver_on):
    topic = broker.topic()
    more = f"&security.protocol=SSL&ssl.ca.location={broker.ca_file}"

    driver_on(f"127.0.0.1:{broker.ssl}/{topic}", more).upsert(ORDER, [row(1)])

    assert len(broker.read(topic)) == 1


def test_a_certificate_of_an_unknown_authority_is_not_taken(broker, driver_on):
    with pytest.raises(ConfigError, match="certificate verify failed") as refused:
        driver_on(f"127.0.0.1:{broker.ssl}/any", "&security.protocol=SSL")

    assert "ssl.ca.location" in refused.value.advice


@pytest.mark.parametrize(
    "more",
    ["security.protocol=NONE", "security.protocol=SSL&ssl.ca.location=/no/such.pem"],
)
def test_a_setting_that_is_none_is_the_users_to_change(driver_on, more):
    with pytest.raises(ConfigError) as refused:
        driver_on("localhost:1/t", f"&{more}")

    assert "parameters" in refused.value.advice


def test_no_more_is_on_its_way_than_memory_is_given(broker, driver_on, monkeypatch):
    monkeypatch.setitem(SETTINGS, "queue.buffering.max.kbytes", 64)
    topic = broker.topic()

    rows = [row(number, name="y" * 10_000) for number in range(100)]
    driver_on(f"{broker.address}/{topic}").upsert(ORDER, rows)

    assert len(broker.read(topic)) == 100
