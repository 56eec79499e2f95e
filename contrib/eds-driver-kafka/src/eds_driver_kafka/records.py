"""Kafka records as the old server made them: key, header, partition, value. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import xxhash

from eds_core import (
    ChangeEvent,
    ColumnType,
    DecodeError,
    Operation,
    RejectedError,
    Row,
    TableSchema,
    VersionedKey,
    event_json,
)

#: The header whose value decides on the partition.
HEADER = "eds-partitionkey"

_NONE = "NONE"
_LOCATION = 4  # token of a message's subject
_FNV_OFFSET, _FNV_PRIME, _32_BITS = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
_PER_MILLISECOND = 1_000_000


class Record(NamedTuple):
    """One record, and what its partition is made from."""

    key: bytes
    value: bytes
    partition_key: bytes

    @property
    def size(self) -> int:
        """Bytes of what it holds, without what Kafka adds."""
        return len(self.key) + len(self.value) + len(HEADER) + len(self.partition_key)

    def partition(self, count: int) -> int:
        """FNV-1a, 32 bits, over the partition key's xxHash64 in hex digits."""
        found = _FNV_OFFSET
        for byte in xxhash.xxh64_hexdigest(self.partition_key).encode():
            found = (found ^ byte) * _FNV_PRIME & _32_BITS
        return found % count


class _Names(NamedTuple):
    """What the names of a record are made of."""

    table: str
    operation: str
    owners: tuple[str, str]  # company and location
    row: str  # the last value of its key
    event: str

    def record(self, value: bytes) -> Record:
        owners = ".".join(self.owners)
        key = f"dbchange.{self.table}.{self.operation}.{owners}.{self.event}"
        partition_key = f"{self.table}.{owners}.{self.row}"
        return Record(key.encode(), value, partition_key.encode())


class _Imported(msgspec.Struct, rename="camel", omit_defaults=True):
    """An event for a row that came with none."""

    operation: Operation
    id: str
    table: str
    key: Sequence[str]
    timestamp: int
    mvcc_timestamp: str
    model_version: str = ""
    company_id: str | None = None
    location_id: str | None = None
    imported: bool = False
    after: msgspec.Raw | None = None


def of_row(table: TableSchema, row: Row) -> Record:
    """Return the record of *row*: its event as published, or one made from the row.

    Raises RejectedError when it cannot be said in JSON.
    """
    if row.event is not None:
        return _published(row.event)
    owners = [_owner(row, name) for name in ("companyId", "locationId")]
    after = msgspec.Raw(row.after)
    event = _imported(Operation.INSERT, table, VersionedKey(row.key, row.version))
    event.company_id, event.location_id, event.after = *owners, after
    return _made(event)


def of_deletion(table: TableSchema, key: VersionedKey) -> Record:
    """Return the record of a deletion. Raises RejectedError as ``of_row`` does."""
    if key.event is not None:
        return _published(key.event)
    return _made(_imported(Operation.DELETE, table, key))


def _published(event: ChangeEvent) -> Record:
    tokens = event.message.subject.split(".")
    location = tokens[_LOCATION] if len(tokens) > _LOCATION else _NONE
    owners = (event.message.company or _NONE, location or _NONE)
    try:
        value = event_json(event)
    except DecodeError as error:
        raise RejectedError(str(error), advice=error.advice) from error
    row = event.raw_key[-1]
    return _Names(event.table, event.operation, owners, row, event.id).record(value)


def _imported(operation: Operation, table: TableSchema, key: VersionedKey) -> _Imported:
    version = key.version
    # Imported twice, it has the same id: a duplicate can be told.
    whole = msgspec.json.encode((table.name, operation, key.key, str(version)))
    return _Imported(
        operation,
        xxhash.xxh64_hexdigest(whole),
        table.name,
        key.key,
        version.wall // _PER_MILLISECOND,
        str(version),
        table.model_version,
        imported=True,
    )


def _made(event: _Imported) -> Record:
    owners = (event.company_id or _NONE, event.location_id or _NONE)
    names = _Names(event.table, event.operation, owners, event.key[-1], event.id)
    return names.record(msgspec.json.encode(event))


def _owner(row: Row, name: str) -> str | None:
    found = row.get(name, ColumnType.TEXT)
    return found if isinstance(found, str) else None
