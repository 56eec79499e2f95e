"""The shop does the same again, tries every table, and agrees with the oracle."""

import dataclasses
import itertools
import json
from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from eds_core.sandbox import (
    Shop,
    decode_exactly,
    encode,
    fold,
    load_models,
    message_headers,
)

COMPANIES = ("6287a4154d1a72cc5ce091bb", "c0ffee00c0ffee00c0ffee01")
START = 1_741_000_000_000_000_000


def make_shop(seed=1, companies=COMPANIES):
    ticks = itertools.count(START, 1_234_567)
    return Shop(seed, companies, clock=lambda: next(ticks))


def take(count, shop):
    return list(itertools.islice(shop, count))


@pytest.fixture(scope="module")
def busy():
    shop = make_shop()
    return shop, take(4000, shop)


def test_equal_seeds_give_equal_events():
    assert take(400, make_shop(7)) == take(400, make_shop(7))
    assert take(10, make_shop(7)) != take(10, make_shop(8))


@pytest.mark.parametrize("seed", range(5))
def test_500_events_touch_every_table(seed):
    assert {event.table for event in take(500, make_shop(seed))} == set(load_models())


def test_the_state_is_the_fold_of_all_events(busy):
    shop, events = busy

    assert shop.state() == fold(events)


def test_the_fold_does_not_depend_on_the_order(busy):
    _, events = busy

    assert fold(reversed(events)) == fold(events)


def test_of_equal_versions_the_later_event_wins():
    shop = make_shop()
    first = shop.insert("brand", {"name": "old"})
    payload = first.payload.replace(b'"old"', b'"new"')
    second = dataclasses.replace(first, payload=payload)

    assert fold([first, second])["brand"][first.key]["name"] == "new"
    assert fold([second, first])["brand"][first.key]["name"] == "old"


def test_a_deleted_row_stays_deleted_when_an_older_event_comes_again():
    shop = make_shop()
    insert = shop.insert("brand")
    delete = shop.delete("brand", insert.key)

    assert fold([insert, delete, insert]) == {"brand": {}}
    assert shop.state() == {"brand": {}}


def test_all_operations_happen_and_rows_come_back(busy):
    _, events = busy
    operations = Counter(event.operation for event in events)
    deleted = {event.key for event in events if event.operation == "DELETE"}
    inserted = Counter(event.key for event in events if event.operation == "INSERT")

    assert operations["UPDATE"] > 1000
    assert operations["DELETE"] > 50
    assert any(inserted[key] > 1 for key in deleted)


def test_an_event_is_the_envelope_of_the_wire():
    shop = make_shop()
    insert = shop.insert("brand", {"name": "Acme"})
    update = shop.update("brand", insert.key, {"name": "Volta"})
    delete = shop.delete("brand", insert.key)
    first, second, third = (
        json.loads(event.payload) for event in (insert, update, delete)
    )

    assert first["operation"] == "INSERT"
    assert first["id"] == insert.message_id
    assert len(first["id"]) == 16
    assert first["key"][-1] == insert.key[0]
    assert first["modelVersion"] == insert.model_version
    assert first["version"] == first["after"]["meta"]["version"]
    assert first["companyId"] == first["after"]["companyId"] == COMPANIES[0]
    assert first["region"] == ""
    assert first.get("before") is None
    assert second["before"] == first["after"]
    assert second["after"]["name"] == "Volta"
    assert {"name", "updatedDate"} <= set(second["diff"])
    assert third["before"] == second["after"]
    assert "diff" not in third


def test_the_subject_tells_what_the_event_is():
    event = make_shop().insert("labor_matrix_range")

    assert event.location is None
    assert event.subject == (
        f"dbchange.labor_matrix_range.INSERT.{COMPANIES[0]}.NONE.PUBLIC."
        f"{event.version}.{event.id}"
    )


def test_versions_strictly_rise_and_some_only_in_the_counter(busy):
    _, events = busy
    texts = [json.loads(event.payload)["mvccTimestamp"] for event in events]
    pairs = [tuple(map(int, text.split("."))) for text in texts]

    assert all(len(text.split(".")[1]) == 10 for text in texts)
    assert all(a < b for a, b in itertools.pairwise(pairs))
    assert any(a[0] == b[0] for a, b in itertools.pairwise(pairs))


def test_a_clock_that_stands_still_does_not_matter():
    shop = Shop(1, COMPANIES, clock=lambda: START)
    events = take(300, shop)

    assert shop.state() == fold(events)


def test_a_share_of_the_keys_has_a_region_first(busy):
    _, events = busy
    regions = Counter(
        json.loads(event.payload)["key"][: -len(event.key)] == ["gcp-us-west1"]
        for event in events
    )

    assert 0.1 < regions[True] / len(events) < 0.3


def test_rows_are_whole_and_have_private_columns_besides(busy):
    _, events = busy
    for event in events:
        row = json.loads(event.payload).get("after")
        if row is not None:
            private = set(row) - set(event.model.column_names)
            assert set(event.model.column_names) <= set(row)
            assert private <= {"crdb_region", "meta", "internalNumber"}
            assert 1 <= len(private) <= 3


def test_values_not_null_are_never_null(busy):
    shop, _ = busy
    state = shop.state()
    broken = [
        (table, column.name)
        for table, rows in state.items()
        for column in shop.models[table].columns
        for row in rows.values()
        if not column.nullable and row[column.name] is None
    ]

    assert broken == []


def test_values_are_varied(busy):
    _, events = busy
    text = b"\n".join(event.payload for event in events).decode()

    assert "🚗" in text
    assert "\\ud83d" in text  # and the same, escaped
    assert "\\n" in text
    assert '\\"' in text
    assert '"NULL"' in text
    assert "E+3" in text
    assert "\\u0000" not in text
    assert any(len(event.payload) > 8000 for event in events)


def test_some_integers_need_more_than_a_double(busy):
    shop, _ = busy
    numbers = [
        value
        for rows in shop.state().values()
        for row in rows.values()
        for value in row.values()
        if type(value) is int
    ]

    assert any(number > 2**53 and int(float(number)) != number for number in numbers)
    assert all(number < 2**63 for number in numbers)


def test_rows_of_a_changed_model_follow_when_they_change():
    shop = make_shop()
    order = shop.models["order"].with_type("number", "Int")
    shop.use(order)
    first = shop.insert("order", {"number": 17})
    wider = order.with_type("number", "String").with_column("points", "Int")
    shop.use(wider)
    second = shop.update("order", first.key, {"points": 3})

    assert first.model_version == order.version
    assert second.model_version == wider.version
    row = json.loads(second.payload)["after"]
    assert isinstance(row["number"], str)
    assert row["points"] == 3
    assert row["crdb_region"] == "gcp-us-west1"
    assert shop.state() == fold([first, second])


def test_given_numbers_keep_their_digits():
    shop = make_shop()
    exact = msgspec.Raw(b"0.10000000000000000000001")
    event = shop.insert("tire_model", {"weightPounds": exact})
    row = fold([event])["tire_model"][event.key]

    assert row["weightPounds"] == Decimal("0.10000000000000000000001")


def test_every_encoding_holds_the_same_event(busy):
    _, events = busy
    for event in events[:300]:
        plain = json.loads(event.payload)
        packed = msgspec.msgpack.decode(encode(event.payload, "msgpack"))

        assert packed == plain


def test_headers_say_the_encoding_and_the_id():
    assert message_headers("a", "plain") == {"Nats-Msg-Id": "a"}
    assert message_headers("a", "msgpack")["content-encoding"] == "msgpack"
    assert message_headers("a", "gzip", {"Nats-Msg-Id": "b"}) == {
        "Nats-Msg-Id": "b",
        "content-encoding": "gzip/json",
    }


def test_the_oracle_decodes_numbers_exactly():
    assert decode_exactly(b'{"a": 9007199254740993, "b": 1E+3, "c": 0.1}') == {
        "a": 9007199254740993,
        "b": Decimal(1000),
        "c": Decimal("0.1"),
    }


def test_a_row_that_is_not_there_cannot_be_changed():
    with pytest.raises(KeyError, match="no row"):
        make_shop().delete("brand", ("nobody",))
