"""What plugins do to rows, on the stream and on what is read once more."""

from __future__ import annotations

import gzip
import json
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.intakes import A, sequences
from eds_core.decode import decode, encode
from eds_core.driver import hookimpl
from eds_core.errors import ConfigError, DecodeError
from eds_core.event import Message
from eds_core.intake import Intake
from eds_core.plugins import Transform
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.transforms import find_transforms
from eds_core.work import make_work

SECRET = b"ada@example.com"
HIDDEN = msgspec.Raw(b'"hidden"')
TABLE = TableSchema(
    "customer",
    "m1",
    tuple(Column(n, ColumnType.TEXT) for n in ("id", "email", "name")),
    ("id",),
)


def schemas(event):
    return TABLE


def message(sequence, row=None, operation="UPDATE", table="customer", pack=bytes):
    body = {
        "operation": operation,
        "table": table,
        "key": ["1"],
        "mvccTimestamp": "5.0000000007",
        "modelVersion": "m1",
        "before": {"id": "1", "email": SECRET.decode()},
        "after": row or {"id": "1", "email": SECRET.decode(), "name": "Ada"},
    }
    subject = f"dbchange.{table}.{operation}.{A}.N.PUBLIC.1.e"
    headers = {"Content-Encoding": "gzip", "Nats-Msg-Id": "e"}
    data = pack(json.dumps(body).encode())
    return Message(subject, data, sequence, 10, headers, size=len(data))


def intake(*plugins, watch=None):
    found = Intake(watch, transforms=find_transforms(plugins))
    found.open_lane(A, 0)
    return found


class Changing:
    """Does *row* to rows of every table."""

    def __init__(self, row, table=lambda table: table):
        self._row, self._table = row, table

    @hookimpl
    def transform(self, table):
        return Transform(self._table(table), self._row)


class Dropping:
    @hookimpl
    def drops_table(self, table):
        return table == "customer"


def hide(row):
    return {name: HIDDEN if name == "email" else row[name] for name in row}


def left_out(row):
    return None


def test_without_transforms_there_is_nothing_to_ask():
    class Watching:
        @hookimpl
        def batch_written(self, report):
            pass

    assert find_transforms([Watching()]) is None


def test_a_row_is_changed_in_all_that_is_kept_of_it():
    found = intake(Changing(hide))
    found.put([message(1)])
    found.put([message(2, operation="DELETE")])
    found.put([message(3, pack=partial(gzip.compress, mtime=0))])
    first, deletion, packed = found.take(schemas).entries

    for entry in (first, deletion, packed):
        assert SECRET not in entry.message.data + bytes(entry.event.after)
        assert entry.event.message is entry.message
    assert json.loads(first.event.after) == {
        "id": "1",
        "email": "hidden",
        "name": "Ada",
    }
    assert packed.message.data == first.message.data
    assert packed.message.headers == {"Nats-Msg-Id": "e"}


def test_what_is_kept_of_a_changed_message_is_that_event():
    found = intake(Changing(hide))
    found.put([message(1)])
    (entry,) = found.take(schemas).entries
    again, was = decode(entry.message), decode(message(1))

    assert bytes(again.after) == entry.event.after
    for name in ("table", "operation", "raw_key", "version", "model_version"):
        assert getattr(again, name) == getattr(was, name)


@given(
    st.fixed_dictionaries(
        {
            "operation": st.sampled_from(("INSERT", "UPDATE", "DELETE")),
            "table": st.just("customer"),
            "key": st.lists(st.text(), min_size=1, max_size=3),
            "mvccTimestamp": st.from_regex(
                r"[0-9]{1,3}(\.[0-9]{1,10})?", fullmatch=True
            ),
            "modelVersion": st.none() | st.from_regex(r"[a-z]{0,5}", fullmatch=True),
            "after": st.dictionaries(st.text(), st.none() | st.text() | st.integers()),
        }
    )
)
def test_an_event_is_the_same_when_it_is_encoded_and_decoded(body):
    subject = f"dbchange.customer.X.{A}"
    event = decode(Message(subject, json.dumps(body).encode(), 1, 0))
    again = decode(Message(subject, encode(event, bytes(event.after)), 1, 0))

    for name in ("id", "table", "operation", "version", "model_version", "after"):
        assert getattr(again, name) == getattr(event, name)
    assert [*again.raw_key] == [*event.raw_key]


def test_what_is_dumped_is_what_is_kept():
    seen = []
    found = intake(Changing(hide), watch=seen.append)
    found.put([message(1)])
    (entry,) = found.take(schemas).entries

    assert seen == [entry.message]
    assert SECRET not in seen[0].data


def test_sizes_are_counted_as_they_came():
    found = intake(Changing(lambda row: {"id": row["id"]}))
    whole = [message(1), message(2, pack=gzip.compress)]
    for each in whole:
        found.put([each])
    sizes = sum(each.size for each in whole)

    assert found.take(schemas).size == sizes


def test_plugins_change_a_row_in_their_order_each_the_table_of_the_one_before():
    seen = []

    def without_email(table):
        seen.append([c.name for c in table.columns])
        columns = tuple(c for c in table.columns if c.name != "email")
        return TableSchema(table.name, table.model_version, columns, table.key)

    def see(row):
        seen.append([*row])
        return row

    def drop_email(row):
        del row["email"]
        return row

    found = intake(Changing(drop_email, without_email), Changing(see, without_email))
    for sequence in (1, 2):
        found.put([message(sequence)])
    first, second = found.take(schemas).entries

    assert seen == [["id", "email", "name"], ["id", "name"], *[["id", "name"]] * 2]
    assert [c.name for c in first.schema.columns] == ["id", "name"]
    assert first.schema is second.schema


@pytest.mark.parametrize("plugin", [Dropping(), Changing(left_out)])
def test_what_is_left_out_is_passed_over_and_the_position_goes_on(plugin):
    seen = []
    found = intake(plugin, watch=seen.append)
    for sequence in (3, 4):
        found.put([message(sequence)])
    taken = found.take(schemas)
    work = make_work(taken.entries, {})

    assert seen == []
    assert (work.changes, work.quarantine) == ([], {})
    assert taken.reached == {A: (4, 10)}
    assert taken.size == 2 * message(3).size


def test_a_table_that_is_dropped_is_not_even_decoded():
    asked = []
    found = intake(Dropping(), Changing(hide))
    bad = Message(f"dbchange.customer.X.{A}", b"rubbish", 1, 0)
    found.put([bad])
    taken = found.take(asked.append)

    assert sequences(taken) == [1]
    assert taken.entries[0].error is None
    assert asked == []
    assert found.met() == []


def fails(row):
    raise KeyError(row["email"])


def renames(row):
    row["id"] = msgspec.Raw(b'"2"')
    return row


def forgets(row):
    row.pop("id")
    return row


def is_lax(row):
    row["email"] = b"bytes"
    return row


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (fails, "fails: KeyError"),
        (renames, "changed the row's key"),
        (forgets, "changed the row's key"),
        (is_lax, "no msgspec.Raw"),
        (len, "fails: AttributeError"),
    ],
    ids=["raises", "changes the key", "drops the key", "no Raw", "no row"],
)
def test_a_row_that_cannot_be_transformed_is_kept_without_itself(row, reason):
    seen = []
    found = intake(Changing(row), watch=seen.append)
    found.put([message(1)])
    work = make_work(found.take(schemas).entries, {})
    (entry,) = work.quarantine.values()

    assert work.changes == []
    assert reason in entry.reason
    assert "not kept" in entry.reason
    assert "import" in entry.advice
    for data in (entry.message.data, seen[0].data):
        assert SECRET not in data
        assert json.loads(data)["key"] == ["1"]
    assert SECRET.decode() not in repr(entry)


@pytest.mark.parametrize(
    "data",
    [b"rubbish " + SECRET, message(1, operation="TRUNCATE").data, message(1).data[:-9]],
)
def test_what_cannot_be_decoded_is_kept_without_its_content(data):
    found = intake(Changing(hide))
    found.put([Message(f"dbchange.customer.X.{A}", data, 1, 0)])
    (entry,) = make_work(found.take(schemas).entries, {}).quarantine.values()

    assert entry.message.data == b""
    assert "not kept" in entry.reason


def test_an_event_without_a_schema_is_kept_without_its_row():
    def refuse(event):
        raise DecodeError("no")

    found = intake(Changing(hide))
    found.put([message(1)])
    (entry,) = make_work(found.take(refuse).entries, {}).quarantine.values()

    assert SECRET not in entry.message.data
    assert (entry.table, entry.event_id) == ("customer", "e")


def test_where_tables_are_only_dropped_what_is_bad_is_kept_whole():
    found = intake(Dropping())
    found.put([Message(f"dbchange.order.X.{A}", b"rubbish", 1, 0)])
    (entry,) = make_work(found.take(schemas).entries, {}).quarantine.values()

    assert entry.message.data == b"rubbish"


def other_key(table):
    return TableSchema(table.name, "", table.columns, ("email",))


def other_key_type(table):
    columns = (Column("id", ColumnType.INTEGER), *table.columns[1:])
    return TableSchema(table.name, "", columns, table.key)


def other_name(table):
    return TableSchema("client", "", table.columns, table.key)


@pytest.mark.parametrize("table", [other_key, other_key_type, other_name])
def test_who_changes_the_key_of_a_table_stops_eds(table):
    with pytest.raises(ConfigError, match="name or the key of table customer"):
        find_transforms([Changing(hide, table)]).of(TABLE)


def test_a_plugin_that_cannot_say_what_it_does_stops_eds():
    class Broken:
        @hookimpl
        def transform(self):
            raise RuntimeError("a secret")

        @hookimpl
        def drops_table(self):
            raise RuntimeError("a secret")

    transforms = find_transforms([Broken()])
    for ask in (partial(transforms.of, TABLE), partial(transforms.drops, "customer")):
        with pytest.raises(ConfigError, match="at table customer: RuntimeError"):
            ask()
