"""Records look as the old server made them."""

from __future__ import annotations

import gzip

import msgspec
import pytest

from eds_core import Message, Row, Version, VersionedKey
from eds_core.batch import Run
from eds_core.decode import decode
from eds_core.errors import RejectedError
from eds_core.testing.shop import table_of
from eds_driver_kafka.records import Record, of_deletion, of_row

OWNER = table_of("vehicle_owner", key=("vehicleId", "customerId"))
EVENT = {
    "operation": "UPDATE",
    "id": "00aa11bb22cc33de",
    "table": "vehicle_owner",
    "key": ["v1", "c1"],
    "companyId": "co1",
    "mvccTimestamp": "1741000060040000222.0000000001",
    "before": {"vehicleId": "v1", "customerId": "c1", "since": None},
    "after": {"vehicleId": "v1", "customerId": "c1", "since": "2025"},
    "diff": ["since"],
}
DATA = msgspec.json.encode(EVENT)


def run_of(data, location="loc1", operation="UPDATE"):
    subject = f"dbchange.vehicle_owner.{operation}.co1.{location}.PUBLIC.7.id"
    event = decode(Message(subject, data, 1, 1_741_000_060_040_000_222, {}))
    run = Run(OWNER)
    run.add(event)
    return run


def record_of(data=DATA, **changes):
    (row,) = run_of(data, **changes).upserts
    return of_row(OWNER, row)


def test_an_event_goes_on_as_it_was_published():
    record = record_of()

    key = "dbchange.vehicle_owner.UPDATE.co1.loc1.00aa11bb22cc33de"
    assert record.key.decode() == key
    assert record.partition_key == b"vehicle_owner.co1.loc1.c1"
    assert record.value == DATA


@pytest.mark.parametrize("pack", [gzip.compress, msgspec.msgpack.encode])
def test_a_packed_event_goes_on_as_json(pack):
    packed = pack(DATA if pack is gzip.compress else EVENT)

    assert msgspec.json.decode(record_of(packed).value) == EVENT


def test_a_row_without_a_location_is_of_none():
    record = record_of(location="NONE")

    assert record.partition_key == b"vehicle_owner.co1.NONE.c1"


def test_a_deletion_goes_on_as_it_was_published_with_the_partition_of_its_row():
    data = msgspec.json.encode({**EVENT, "operation": "DELETE", "after": None})
    (dead,) = run_of(data, operation="DELETE").deletes

    record = of_deletion(OWNER, dead)

    assert record.key.startswith(b"dbchange.vehicle_owner.DELETE.co1.loc1.")
    assert record.value == data
    assert record.partition_key == record_of().partition_key


def test_a_row_of_an_import_becomes_an_event():
    after = b'{"vehicleId":"v1","customerId":"c1","companyId":"co1","locationId":null}'
    row = Row(("v1", "c1"), Version(1741000000200000111, 7), after)

    record = of_row(OWNER, row)

    value = msgspec.json.decode(record.value)
    assert record.partition_key == b"vehicle_owner.co1.NONE.c1"
    assert record.key.decode() == (
        f"dbchange.vehicle_owner.INSERT.co1.NONE.{value['id']}"
    )
    assert value == {
        "operation": "INSERT",
        "id": value["id"],
        "table": "vehicle_owner",
        "key": ["v1", "c1"],
        "timestamp": 1741000000200,
        "mvccTimestamp": "1741000000200000111.0000000007",
        "modelVersion": OWNER.model_version,
        "companyId": "co1",
        "imported": True,
        "after": msgspec.json.decode(after),
    }
    assert record == of_row(OWNER, row)


def test_rows_of_an_import_have_ids_of_their_own():
    versions = [Version(1), Version(2)]
    rows = [Row((a, "c"), v, b"{}") for a in ("x", "y") for v in versions]
    dead = [VersionedKey(("x", "c"), v) for v in versions]

    keys = {of_row(OWNER, row).key for row in rows}
    keys |= {of_deletion(OWNER, key).key for key in dead}

    assert len(keys) == 6


def test_what_json_cannot_say_is_the_rows_fault():
    packed = msgspec.msgpack.encode({**EVENT, "before": {"x": float("nan")}})

    with pytest.raises(RejectedError, match="JSON cannot say"):
        record_of(packed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Computed with the old server's libraries: cespare/xxhash v2.3.0, hash/fnv.
        ("", 619),
        ("order.co1.loc1.o1", 421_164),
        ("customer.co1.NONE.c1", 933_113),
        ("vehicle_owner.co1.loc1.c1", 914_707),
        ("kunde.co1.NONE.äöü", 173_914),
    ],
)
def test_the_partition_is_the_old_servers(text, expected):
    record = Record(b"", b"", text.encode())

    assert record.partition(1_000_003) == expected
    assert record.partition(1) == 0
