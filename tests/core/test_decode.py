"""Whatever a message holds, it is a change event or a DecodeError."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eds_core import decode as module
from eds_core.decode import MAX_AHEAD, decode, decode_usual, event_json, gunzip
from eds_core.errors import DecodeError
from eds_core.event import ChangeEvent, Message, Operation, Version

SUBJECT = "dbchange.customer.INSERT.co1.NONE.PUBLIC.1.e1"
NOW = 1_741_000_001_000_000_000
AFTER = {"id": "c1", "name": "Ada", "total": 1.5, "meta": {"version": 1}}
EVENT = {
    "operation": "INSERT",
    "id": "e1",
    "table": "customer",
    "key": ["c1"],
    "companyId": "co1",
    "locationId": None,
    "version": 1741000000123,
    "modelVersion": "feedfacecafebeef",
    "timestamp": 1741000000200,
    "mvccTimestamp": "1741000000200000111.0000000007",
    "before": None,
    "after": AFTER,
    "diff": ["name"],
}
ABSENT = object()


def fields(**changes: object) -> dict[str, object]:
    return {k: v for k, v in (EVENT | changes).items() if v is not ABSENT}


def payload(**changes: object) -> bytes:
    return json.dumps(fields(**changes)).encode()


def packed(**changes: object) -> bytes:
    return msgspec.msgpack.encode(fields(**changes))


def message(data: bytes, subject: str = SUBJECT, **headers: str) -> Message:
    return Message(subject, data, 7, NOW, headers)


def refusal(data: bytes, subject: str = SUBJECT) -> str:
    """Return the error, which goes into logs and text columns as it is."""
    with pytest.raises(DecodeError) as caught:
        decode(message(data, subject))
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 1000
    return text


def row(event: ChangeEvent) -> object:
    return json.loads(bytes(event.after))


def test_an_event_is_decoded():
    event = decode(message(payload()))

    assert event.id == "e1"
    assert event.table == "customer"
    assert event.operation is Operation.INSERT
    assert event.raw_key == ("c1",)
    assert event.version == Version(1741000000200000111, 7)
    assert event.model_version == "feedfacecafebeef"
    assert event.message.sequence == 7
    assert not event.deletes


def test_the_row_keeps_its_bytes():
    after = b'{"id": "c1" , "n":1.10,"e":1E+3, "s":"\\u00e9"}'
    data = payload(after=0).replace(b'"after": 0', b'"after": \n' + after + b" ")

    assert bytes(decode(message(data)).after) == after


@pytest.mark.parametrize(
    "data",
    [
        payload(),
        b" \n\t" + payload(),
        gzip.compress(payload()),
        packed(),
        gzip.compress(packed()),
    ],
)
@pytest.mark.parametrize("encoding", ["", "gzip/json", "msgpack", "unheard/of"])
def test_the_first_bytes_say_more_than_the_header(data, encoding):
    event = decode(message(data, **{"content-encoding": encoding}))

    assert row(event) == AFTER
    assert event.version == Version(1741000000200000111, 7)


def test_unknown_members_are_left_alone():
    assert decode(message(payload(region="", imported=True, extra={"a": [1]})))


@pytest.mark.parametrize("name", ["id", "modelVersion", "timestamp"])
@pytest.mark.parametrize("value", [None, ABSENT])
def test_members_that_are_optional_may_be_absent(name, value):
    assert decode(message(payload(**{name: value})))


def test_without_an_id_the_message_id_is_taken():
    event = decode(message(payload(id=ABSENT), **{"Nats-Msg-Id": "m1"}))

    assert event.id == "m1"


@pytest.mark.parametrize("none", [None, "", ABSENT])
def test_without_an_mvcc_timestamp_the_milliseconds_are_the_version(none):
    event = decode(message(payload(mvccTimestamp=none)))

    assert event.version == Version(1741000000200000000, 0)


def test_an_mvcc_timestamp_may_be_an_integer():
    event = decode(message(payload(mvccTimestamp=1741000000200000111)))

    assert event.version == Version(1741000000200000111, 0)


def test_a_key_may_hold_integers():
    assert decode(message(payload(key=["r", 7]))).raw_key == ("r", "7")


@pytest.mark.parametrize("after", [AFTER, None, ABSENT, [], "x", 1])
@pytest.mark.parametrize("before", [AFTER, None, ABSENT])
def test_a_delete_is_its_key_whatever_rows_it_carries(after, before):
    data = payload(operation="DELETE", after=after, before=before)
    event = decode(message(data))

    assert event.deletes
    assert event.after == b""
    assert event.raw_key == ("c1",)


def test_a_packed_delete_needs_no_row():
    nan = {"id": float("nan")}

    assert decode(message(packed(operation="DELETE", after=ABSENT))).deletes
    assert decode(message(packed(operation="DELETE", after=nan))).deletes


@pytest.mark.parametrize(
    "data",
    [payload(x=[1.5]), gzip.compress(payload(x=[1.5])), packed(x=[1.5])],
    ids=["JSON", "gzip", "MessagePack"],
)
def test_the_whole_event_can_be_had_as_json(data):
    whole = event_json(decode(message(data)))

    assert msgspec.json.decode(whole) == msgspec.json.decode(payload(x=[1.5]))


def test_an_event_that_json_cannot_say_is_refused_as_a_whole_only():
    nan = packed(operation="DELETE", before={"x": float("nan")})

    with pytest.raises(DecodeError, match="the event holds what JSON cannot say"):
        event_json(decode(message(nan)))


@pytest.mark.parametrize(
    "subject", ["dbchange.customer", "dbchange.customer.INSERT", SUBJECT + ".more.tail"]
)
def test_a_subject_may_be_shorter_or_longer(subject):
    assert decode(message(payload(), subject)).table == "customer"


@pytest.mark.parametrize("subject", ["", "dbchange", "dbchange.order.INSERT.co1"])
def test_a_payload_of_another_table_than_its_subject_is_refused(subject):
    assert "of table customer, its subject of" in refusal(payload(), subject)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        payload()[:-1],
        payload() + b"}",
        payload() + payload(),
        b"null",
        b"[]",
        b"7",
        b'"customer"',
        b"\xef\xbb\xbf" + payload(),
        b"\0" * 100,
        payload().decode().encode("utf-16"),
        payload().replace(b"Ada", b"A\0a"),
        payload().replace(b"Ada", b"\xff\xfe"),
        payload(after={"x": "?"}).replace(b"?", b"\xc3"),
        payload().replace(b"1.5", b"NaN"),
        payload().replace(b"1.5", b"-Infinity"),
        payload().replace(b"1.5", b"01"),
        payload().replace(b"1.5", b"tru"),
        payload().replace(b"Ada", b"\\x"),
        payload().replace(b"}}", b"},}"),
        payload(table="\ud800"),
        payload(id="\udc00"),
        payload(after={"id": "\ud800"}),
    ],
)
def test_what_is_not_json_is_no_event(data):
    assert "not a change event" in refusal(data)


@pytest.mark.parametrize("depth", [1_000, 100_000, 2_000_000])
@pytest.mark.parametrize("place", ["after", "before", "key"])
def test_what_is_nested_too_deep_is_refused(depth, place):
    deep = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    data = payload(**{place: 0}).replace(
        f'"{place}": 0'.encode(), f'"{place}": '.encode() + deep
    )

    assert refusal(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("operation", ABSENT),
        ("operation", None),
        ("operation", "insert"),
        ("operation", "TRUNCATE\0" * 1000),
        ("operation", 1),
        ("table", ABSENT),
        ("table", None),
        ("table", 1),
        ("key", ABSENT),
        ("key", None),
        ("key", "c1"),
        ("key", {"id": "c1"}),
        ("key", [None]),
        ("key", [["c1"]]),
        ("key", [1.5]),
        ("key", [True]),
        ("id", 7),
        ("mvccTimestamp", 1.5),
        ("mvccTimestamp", []),
        ("timestamp", "1741000000200"),
        ("timestamp", 1.5),
        ("modelVersion", 1),
    ],
)
def test_a_member_of_the_wrong_type_is_refused(name, value):
    assert "not a change event" in refusal(payload(**{name: value}))


@pytest.mark.parametrize("name", ["key", "timestamp", "mvccTimestamp"])
def test_a_number_too_long_for_python_is_refused(name):
    data = payload(**{name: [0]}).replace(b"[0]", b"[1" + b"0" * 5000 + b"]")

    assert refusal(data)
    assert refusal(data.replace(b"[1", b"1").replace(b"0]", b"0"))


def test_an_empty_key_is_refused():
    assert refusal(payload(key=[])) == "the event has no key"


@pytest.mark.parametrize("operation", ["INSERT", "UPDATE"])
@pytest.mark.parametrize("after", [None, ABSENT])
def test_an_upsert_without_a_row_is_refused(operation, after):
    found = refusal(payload(operation=operation, after=after))

    assert found == f"the row (`after`) of this {operation} is missing"


@pytest.mark.parametrize("after", [[], [AFTER], "x", 7, True, 0.5])
def test_a_row_that_is_no_object_is_refused(after):
    assert "not an object" in refusal(payload(after=after))


@pytest.mark.parametrize(
    "table",
    [
        "",
        "a b",
        "a;drop table b",
        'a"',
        "a\0",
        "_eds_checkpoint",
        "1a",
        "x" * 5000,
        "é",
    ],
)
def test_a_hostile_table_is_refused(table):
    assert "is not a name" in refusal(payload(table=table), f"dbchange.{table}.INSERT")


@pytest.mark.parametrize("model", ["a.b", "a b", "*", ">", "a\r\nPUB x 1", "x" * 129])
def test_a_model_version_that_could_change_a_subject_is_refused(model):
    assert "modelVersion" in refusal(payload(modelVersion=model))


@pytest.mark.parametrize("version", ["x", "-1", "1.2.3", "٣", "1" * 20, "\0" * 9000])
def test_a_version_that_is_none_is_refused(version):
    assert "is not a version" in refusal(payload(mvccTimestamp=version))


@pytest.mark.parametrize("milliseconds", [-1, 10**13, 10**4000])
def test_milliseconds_that_are_no_version_are_refused(milliseconds):
    data = payload(mvccTimestamp=None, timestamp=milliseconds)

    assert "is not a version" in refusal(data)


def test_an_event_without_any_version_is_refused():
    data = payload(mvccTimestamp=None, timestamp=None)

    assert "neither mvccTimestamp nor timestamp" in refusal(data)


def test_a_version_up_to_a_day_ahead_is_taken():
    data = payload(mvccTimestamp=str(NOW + MAX_AHEAD))

    assert decode(message(data)).version == Version(NOW + MAX_AHEAD)


def test_a_version_more_than_a_day_ahead_would_win_for_ever():
    data = payload(mvccTimestamp=str(NOW + MAX_AHEAD + 1))

    assert "more than a day ahead" in refusal(data)


def test_a_row_of_10_000_columns_is_only_a_large_row():
    after = {f"c{n}": n for n in range(10_000)}

    assert row(decode(message(payload(after=after)))) == after


def test_strings_may_hold_nul():
    event = decode(message(payload(after={"id": "c1", "name": "A\0"})))

    assert row(event) == {"id": "c1", "name": "A\0"}


@pytest.mark.parametrize("cut", [2, 9, 10, 20, -9, -8, -1])
def test_truncated_gzip_is_refused(cut):
    assert refusal(gzip.compress(payload())[:cut])


def test_what_follows_the_gzip_data_is_refused():
    assert "goes on behind" in refusal(gzip.compress(payload()) + b"more")
    assert "goes on behind" in refusal(gzip.compress(payload()) * 2)


def test_damaged_gzip_is_refused():
    data = bytearray(gzip.compress(payload()))
    data[-6] ^= 0xFF  # its checksum

    assert "not a change event" in refusal(bytes(data))


def test_a_bomb_is_not_inflated_beyond_the_limit(monkeypatch):
    limit = 1024 * 1024
    monkeypatch.setattr(module, "MAX_UNPACKED", limit)
    bomb = gzip.compress(b"\0" * (100 * limit))
    tracemalloc.start()
    try:
        found = refusal(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "unpacks to more than" in found
    assert peak < 4 * limit


def test_an_event_as_large_as_the_limit_is_no_bomb(monkeypatch):
    monkeypatch.setattr(module, "MAX_UNPACKED", 1000)

    assert gunzip(gzip.compress(b"x" * 1000)) == b"x" * 1000
    with pytest.raises(DecodeError):
        gunzip(gzip.compress(b"x" * 1001))


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), msgspec.msgpack.Ext(5, b"x"), {"a": [1e999]}]
)
def test_packed_values_that_json_cannot_say_are_refused_not_changed(value):
    assert "JSON cannot say" in refusal(packed(after={"id": "c1", "x": value}))


def test_packed_bytes_and_numbers_become_json():
    after = {"id": "c1", "b": b"\0\1", "n": 2**64 - 1, "f": 0.1, "s": "é😀"}

    event = decode(message(packed(after=after)))

    assert row(event) == after | {"b": "AAE="}


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\x81",
        b"\xdf\xff\xff\xff\xff",
        packed()[:-1],
        packed(key=[b"\xff"]),
        packed(after={"id": {1.5: {None: b"x"}, b"k": 1}}),
        packed(after=0).replace(b"\xa5after\x00", b"\xa5after" + b"\x81\xa1x" * 9_999),
        packed().replace(b"Ada", b"\xff\xff\xff"),
        packed(after=[]),
    ],
)
def test_broken_msgpack_is_refused(data):
    assert refusal(data)


MEMBERS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.sampled_from(["customer", "INSERT", "DELETE", "1741000000200000111"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
EVENTS = st.dictionaries(st.sampled_from(list(EVENT)), MEMBERS).map(
    lambda changes: EVENT | changes
)


def check(data: bytes, subject: str = SUBJECT) -> None:
    came = message(data, subject)
    together = decode_usual([came])
    try:
        event = decode(came)
    except DecodeError as error:
        assert str(error).isprintable()  # noqa: PT017 - both ends are right
        assert together is None
        return

    assert together in (None, [event])
    assert event.deletes or isinstance(row(event), dict)
    assert event.raw_key
    assert event.version.wall <= NOW + MAX_AHEAD


USUAL = [
    payload(),
    payload(key=["gcp", "c1"], after=AFTER | {"name": "Zo\u00eb"}),
    payload(operation="DELETE", after=None),
    payload(operation="DELETE", after=ABSENT),
    json.dumps(fields(after={"name": "Zo\u00eb"}), ensure_ascii=False).encode(),
    payload(mvccTimestamp="1741000000200000111.0000000012"),
]
ODD = [
    packed(),
    gzip.compress(payload()),
    payload(key=[1]),
    payload(key=[]),
    payload(id=ABSENT),
    payload(mvccTimestamp=None),
    payload(mvccTimestamp="1.0000000001,2.0000000002"),
    payload(mvccTimestamp=f"{NOW + MAX_AHEAD + 1}.0000000000"),
    payload(table="other"),
    payload(modelVersion="a b"),
    payload(timestamp=[]),
    payload(after=None),
    payload(after=[AFTER]),
    payload().replace(b"Ada", b"Ad\xff"),
    payload()[:-1],
]


def test_usual_events_are_the_same_together_as_one_by_one():
    messages = [message(data) for data in USUAL]

    assert decode_usual(messages) == [decode(m) for m in messages]
    assert decode_usual([]) == []


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_one_that_is_odd_leaves_all_of_them_to_be_decoded_one_by_one(odd):
    assert decode_usual([*map(message, [*USUAL, odd])]) is None


@given(st.binary())
@example(b"\x1f\x8b")
@example(b"\xde")
def test_random_bytes_are_an_event_or_refused(data):
    check(data)


@given(st.binary(max_size=30))
def test_random_bytes_behind_a_magic_number_are_an_event_or_refused(data):
    check(b"\x1f\x8b\x08" + data)
    check(gzip.compress(data))
    check(b"\xdf\0\0\0\1" + data)
    check(b"{" + data)


@given(EVENTS, st.text())
def test_random_members_are_an_event_or_refused(members, subject):
    check(json.dumps(members).encode("utf-8", "surrogatepass"))
    check(json.dumps(members, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    check(json.dumps(members).encode(), subject)


@given(
    st.sampled_from([payload(), packed(), gzip.compress(payload(), mtime=0)]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4))),
)
def test_mutated_events_are_an_event_or_refused(data, mutations):
    for place, inserted, removed in mutations:
        at = int(place * len(data))
        data = data[:at] + inserted + data[at + removed :]

    check(data)
