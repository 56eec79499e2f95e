"""What a kafka:// URL may say."""

from __future__ import annotations

import pytest

from eds_core import ConfigError
from eds_driver_kafka import address
from eds_driver_kafka.address import parse


def test_a_url_names_brokers_and_a_topic():
    found = parse("kafka://one.example.com,two.example.com:9093/shop")

    assert found.brokers == "one.example.com:9092,two.example.com:9093"
    assert found.topic_of("order") == "shop"
    assert not found.per_table


def test_a_topic_may_be_called_as_its_table():
    assert parse("kafka://localhost/{table}").topic_of("order") == "order"
    assert parse(f"kafka://localhost/{'t' * 121}{{table}}").per_table


def test_a_topic_for_each_table():
    found = parse("kafka://localhost/shop.{table}.v1")

    assert found.per_table
    assert found.topic_of("order") == "shop.order.v1"


@pytest.mark.parametrize(
    ("place", "protocol"),
    [
        ("localhost", "PLAINTEXT"),
        ("127.0.0.1:1", "PLAINTEXT"),
        ("[::1]:9092", "PLAINTEXT"),
        ("kafka.example.com", "SSL"),
        ("localhost,kafka.example.com", "SSL"),
        ("localhost.example.com", "SSL"),
        ("user:secret@localhost", "SASL_PLAINTEXT"),
        ("user:secret@kafka.example.com", "SASL_SSL"),
    ],
)
def test_only_this_machine_is_spoken_to_in_the_clear(place, protocol):
    assert parse(f"kafka://{place}/t").settings["security.protocol"] == protocol


def test_the_url_may_say_otherwise():
    url = "kafka://u@kafka/t?security.protocol=SASL_PLAINTEXT&sasl.mechanism=SCRAM-SHA-512"

    found = parse(url).settings

    assert found["security.protocol"] == "SASL_PLAINTEXT"
    assert found["sasl.mechanism"] == "SCRAM-SHA-512"


def test_user_and_password_are_decoded():
    found = parse("kafka://us%40er:pa%3Ass%2Fword@kafka/t").settings

    assert found["sasl.username"] == "us@er"
    assert found["sasl.password"] == "pa:ss/word"
    assert "pa:ss" not in repr(parse("kafka://user:pa%3Ass@kafka/t"))


@pytest.mark.parametrize(
    "url",
    [
        "kafka://localhost",
        "kafka://localhost/",
        "kafka:///shop",
        "kafka://localhost/two/topics",
        "kafka://localhost/a%20b",
        "kafka://localhost:99999/t",
        "kafka://localhost:x/t",
        "kafka://local host/t",
        "kafka://[::1/t",
        f"kafka://localhost/{'t' * 250}",
        f"kafka://localhost/{'t' * 122}{{table}}",  # a table may have 128
        "kafka://localhost/.",
        "kafka://localhost/%2e%2e",
    ],
)
def test_a_url_that_is_none_is_refused_with_an_example(url):
    with pytest.raises(ConfigError) as refused:
        parse(url)

    assert address.EXAMPLE in refused.value.advice


def test_an_unknown_parameter_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"'sasl\.mechanisms'") as refused:
        parse("kafka://localhost/t?sasl.mechanisms=PLAIN")

    assert "sasl.mechanism," in refused.value.advice
