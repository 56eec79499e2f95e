"""Compare the files with the destination; write what differs again.

First by a sum of hashes for each bucket of keys, with the memory of the buckets
alone. Then the rows of those buckets that differ are compared one by one. A row that
is newer in the destination than in the file is right.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from eds_core.errors import RejectedError
from eds_core.event import Key, Row
from eds_core.line import text_of
from eds_core.repair import repair as mend
from eds_core.schema import ColumnType
from eds_core.values import parse_json

from .options import Difference
from .plan import Item, Plan
from .prune import pages
from .rereading import Read, read_again
from .writers import Writer

log = logging.getLogger("eds.import")

_BUCKETS = 4096
_AT_ONCE = 100_000  # rows of a file that are held at a time
_TOLD = 20  # differences that are listed, for each table
_COMPANY = "companyId"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Sums:
    """A count and a sum of hashes for each bucket."""

    counts: list[int]
    sums: list[int]

    @classmethod
    def empty(cls) -> _Sums:
        return cls([0] * _BUCKETS, [0] * _BUCKETS)

    def add(self, key: Key, digest: int) -> None:
        bucket = bucket_of(key)
        self.counts[bucket] += 1
        self.sums[bucket] = (self.sums[bucket] + digest) & 0xFFFFFFFFFFFFFFFF


def bucket_of(key: Key) -> int:
    return zlib.crc32("\0".join(key).encode()) % _BUCKETS


def verify(
    writer: Writer, plan: Plan, companies: Collection[str], *, repair: bool
) -> tuple[list[Difference], int]:
    """Compare every table of *plan*; how many rows were repaired."""
    differences, repaired = [], 0
    for name in plan.tables:
        items = [item for item in plan.items if item.table.name == name]
        found = _Comparison(writer, items, companies, repair=repair)
        found.run()
        repaired += found.repaired
        if found.count:
            differences.append(Difference(name, found.count, tuple(found.told)))
        log.info("%s: %d of %d rows differ", name, found.count, found.rows)
    return differences, repaired


class _Comparison:
    """One table."""

    def __init__(
        self,
        writer: Writer,
        items: Sequence[Item],
        companies: Collection[str],
        *,
        repair: bool,
    ) -> None:
        self._writer = writer
        self._items = items
        self._companies = companies
        self._repair = repair
        self._table = items[0].table
        real = writer.insist(writer.destination.columns, self._table.name)
        self._types = {c.name: real.get(c.name) or c.type for c in self._table.columns}
        self.rows = 0
        self.count = 0
        self.repaired = 0
        self.told: list[str] = []

    def run(self) -> None:
        wanted, found = _Sums.empty(), _Sums.empty()
        for read in self._file_rows():
            wanted.add(read.row.key, self._digest(read.row))
            self.rows += 1
        for row in self._stored_rows():
            found.add(row.key, self._digest(row))
        group: set[int] = set()
        size = 0
        for bucket in range(_BUCKETS):
            if (wanted.counts[bucket], wanted.sums[bucket]) == (
                found.counts[bucket],
                found.sums[bucket],
            ):
                continue
            if group and size + wanted.counts[bucket] > _AT_ONCE:
                self._compare(group)
                group, size = set(), 0
            group.add(bucket)
            size += wanted.counts[bucket]
        if group:
            self._compare(group)

    def _compare(self, buckets: Collection[int]) -> None:
        """Row by row; *buckets* hold all that is kept in memory."""
        wanted: dict[Key, Read] = {}
        for read in self._file_rows():
            key = read.row.key
            if bucket_of(key) not in buckets:
                continue
            known = wanted.get(key)
            if known is None or read.row.version >= known.row.version:
                wanted[key] = read
        for row in self._stored_rows():
            if bucket_of(row.key) not in buckets:
                continue
            read_ = wanted.pop(row.key, None)
            if read_ is not None and (why := self._differs(read_, row)):
                self._tell(read_, why)
        deleted = self._writer.insist(
            self._writer.destination.driver.deleted, self._table, list(wanted)
        )
        for key, read in wanted.items():
            if key not in deleted or deleted[key] <= read.row.version:
                self._tell(read, "is missing")

    def _tell(self, read: Read, why: str) -> None:
        self.count += 1
        if len(self.told) < _TOLD:
            self.told.append(f"{self._table.name} {list(read.row.key)}: {why}")
        if self._repair:
            loader = self._writer.loader
            row = _writable(read)
            self.repaired += self._writer.insist(loader.repair, read.schema, [row])

    def _differs(self, read: Read, stored: Row) -> str:
        if stored.version > read.row.version:
            return ""
        if stored.version < read.row.version:
            return f"is older: {stored.version}, in the file {read.row.version}"
        for column in read.schema.columns:
            kind = self._types[column.name]
            mine = canonical(read.row, column.name, kind)
            if mine != canonical(stored, column.name, kind):
                return f"{column.name} differs"
        return ""

    def _digest(self, row: Row) -> int:
        values = [canonical(row, name, kind) for name, kind in self._types.items()]
        text = "\0".join([*row.key, str(row.version), *values])
        data = text.encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")

    def _file_rows(self) -> Iterator[Read]:
        return read_again(self._writer, self._items)

    def _stored_rows(self) -> Iterator[Row]:
        """The rows of the export's own companies, as far as they tell."""
        told = _COMPANY in self._table.types and self._companies
        for page in pages(self._writer, self._table):
            for row in page:
                if not told or text_of(row.tokens, _COMPANY) in self._companies:
                    yield row


def _writable(read: Read) -> Row:
    mended = mend(read.row, read.schema)
    return mended[0] if mended is not None else read.row


def canonical(row: Row, name: str, kind: ColumnType) -> str:
    """A value in a form that is equal exactly when a database holds it as equal.

    Databases round moments to microseconds, drop NUL characters, and order the
    members of JSON objects as they like.
    """
    found = row.tokens.get(name)
    token = b"null" if found is None else bytes(found)
    if token == b"null":
        return ""
    if (plain := _plain(token, kind)) is not None:
        return plain
    try:
        return _form(row, name, kind)
    except (RejectedError, ValueError, ArithmeticError):
        return f"?{token.decode('utf-8', 'replace')}"


_BOOLEANS = {b"true": "=True", b"false": "=False"}


def _plain(token: bytes, kind: ColumnType) -> str | None:
    """What most values are, without a closer look: in the same form as the others."""
    if kind is ColumnType.TEXT and token[:1] == b'"' and b"\\" not in token:
        return f"={token[1:-1].decode('utf-8', 'surrogatepass')}"
    if kind is ColumnType.INTEGER and token.isdigit():
        return f"={token.decode()}"
    return _BOOLEANS.get(token) if kind is ColumnType.BOOLEAN else None


def _form(row: Row, name: str, kind: ColumnType) -> str:
    value = row.get(name, kind)
    match kind:
        case ColumnType.DECIMAL:
            return f"={Decimal(str(value)).normalize():f}"
        case ColumnType.TIMESTAMP | ColumnType.DATETIME:
            return f"={_microseconds(str(value))}"
        case ColumnType.JSON:
            plain = _ordered(parse_json(str(value).encode()))
            return f"={plain}"
        case ColumnType.TEXT:
            return "=" + str(value).replace("\0", "")
        case _:
            return f"={value!r}"


def _microseconds(text: str) -> int:
    """Since 1970, rounded as databases do."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    _, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    micros = round(float(f"0.{digits}") * 10**6) if dot and digits else 0
    whole = moment.replace(microsecond=0) - _BEGINNING
    return whole // timedelta(seconds=1) * 10**6 + micros


def _ordered(value: object) -> str:
    if isinstance(value, Mapping):
        members = sorted(
            (str(name).replace("\0", ""), _ordered(v)) for name, v in value.items()
        )
        return f"{{{members}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_ordered, value))}]"
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int | Decimal):
        return f"{Decimal(value).normalize():f}"
    return msgspec.json.encode(str(value).replace("\0", "")).decode()
