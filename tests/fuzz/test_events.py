"""Any bytes from the stream are an event, or are refused in plain words."""

import gc
import gzip
import tracemalloc
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eds_core.decode import MAX_AHEAD, decode
from eds_core.errors import DecodeError, TransientError
from eds_core.event import Message
from eds_core.intake import Intake
from eds_core.model import infer, parse_reply
from eds_core.sandbox import COMPANY, Shop, encode, load_models
from eds_core.schema import TableSchema
from eds_core.work import coalesce, make_work
from fuzz.damage import damaged, fuzzed

MODELS = load_models()
NOW = 1_800_000_000_000_000_000
TABLES = ("order", "customer", "vehicle_owner", "label")
MEGABYTE = 1 << 20


def shop_events():
    shop = Shop(7, [COMPANY], MODELS, clock=lambda: NOW)
    for table in TABLES:
        yield (event := shop.insert(table))
        yield shop.update(table, event.key, {})
        yield shop.delete(table, event.key)


EVENTS = list(shop_events())
PAYLOADS = [
    encode(event.payload, encoding)
    for event in EVENTS
    for encoding in ("plain", "gzip", "msgpack")
]
REPLIES = [
    msgspec.json.encode({"success": True, "data": MODELS[table].describe()})
    for table in TABLES
] + [b'{"success":false,"message":"no such model"}']
SCHEMAS = dict(zip(TABLES, map(parse_reply, REPLIES, TABLES), strict=True))


def message(data, number=1, subject=EVENTS[0].subject):
    return Message(subject, data, number, NOW, {})


def read(data, subject=EVENTS[0].subject):
    """The event in *data*; None when it is refused as it shall be."""
    try:
        return decode(message(data, subject=subject))
    except DecodeError as error:
        told = str(error)
        assert told.isprintable()
        assert len(told) < 1000
        return None


@fuzzed
@given(damaged(PAYLOADS))
def test_a_damaged_event_is_an_event_or_refused(data):
    event = read(data)
    if event is None:
        return

    assert event.raw_key
    assert event.version.wall <= NOW + MAX_AHEAD
    assert event.deletes or isinstance(msgspec.json.decode(event.after), dict)


@fuzzed
@given(damaged([event.payload for event in EVENTS]))
def test_damage_inside_of_gzip_is_an_event_or_refused(data):
    event = read(gzip.compress(data, compresslevel=1, mtime=0))

    assert event is None or event.raw_key


@fuzzed
@given(damaged(PAYLOADS))
def test_the_columns_of_a_damaged_event_are_guessed_or_refused(data):
    event = read(data)
    if event is None:
        return
    try:
        schema = infer(None, event)
    except DecodeError as error:
        assert str(error)  # noqa: PT017 - both ends are right
    else:
        assert infer(schema, event) is schema


@fuzzed
@given(st.lists(damaged(PAYLOADS), max_size=5))
def test_damaged_events_leave_the_intake_and_each_is_accounted_for(payloads):
    intake = Intake()
    intake.open_lane(COMPANY, 0)
    for number, payload in enumerate(payloads, 1):
        subject = EVENTS[number].subject
        intake.put([message(payload, number, subject)])
    taken = intake.take(lambda event: SCHEMAS[event.table])

    work = make_work(taken.entries, {})
    kept, _ = coalesce(work)

    assert taken.reached[COMPANY][0] == len(payloads)
    for each in (work, kept):
        assert len(each.changes) + len(each.quarantine) == len(payloads)


@fuzzed
@given(damaged(REPLIES))
def test_a_damaged_answer_of_the_look_up_is_a_schema_or_refused(data):
    try:
        schema = parse_reply(data, "order")
    except (DecodeError, TransientError) as error:
        assert str(error)  # noqa: PT017 - both ends are right
    else:
        assert schema is None or isinstance(schema, TableSchema)


def test_damaged_events_leave_nothing_behind_in_memory():
    dice = Random(5)

    def some(count):
        for _ in range(count):
            data = bytearray(dice.choice(PAYLOADS))
            for _ in range(3):
                data[dice.randrange(len(data))] = dice.randrange(256)
            read(bytes(data))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        some(1000)  # caches fill
        before = some(1000)
        after = some(4000)
    finally:
        tracemalloc.stop()

    assert after - before < MEGABYTE
