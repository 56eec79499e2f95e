"""A shop's books: rows are written here, and each change is an event."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec

from eds_core.sandbox.event import ShopEvent
from eds_core.sandbox.model import Column, Model
from eds_core.sandbox.oracle import State, decode_exactly, public_row
from eds_core.sandbox.rows import Key, RowStore, StoredRow
from eds_core.sandbox.values import Value, Values

REGION = "gcp-us-west1"
MILLISECOND = 1_000_000
NON_ASCII = re.compile("[^\x00-\x7f]")

NULL_AT_FIRST = frozenset(
    ("updatedDate", "deletedDate", "deletedReason", "deletedUserId")
)
# Columns that point to a table whose name they do not bear.
REFERENCES = {
    "createdById": "user",
    "completedById": "user",
    "deletedUserId": "user",
    "inspectorUserId": "user",
    "serviceWriterId": "user",
    "technicianId": "user",
    "templateId": "inspection_template",
}


@dataclass(slots=True)
class Company:
    """One shop's rows by table, and what it has deleted."""

    id: str
    stores: dict[str, RowStore] = field(default_factory=dict)
    deleted: list[StoredRow] = field(default_factory=list)

    def pick(self, table: str, random: Random) -> StoredRow | None:
        store = self.stores.get(table)
        return store.pick(random) if store else None

    def has(self, table: str, key: Key) -> bool:
        store = self.stores.get(table)
        return store is not None and store.get(key) is not None


@dataclass(frozen=True, slots=True)
class Moment:
    """When a change took place: the clock's nanoseconds and a counter."""

    wall: int
    logical: int

    @property
    def milliseconds(self) -> int:
        return self.wall // MILLISECOND

    def __str__(self) -> str:
        return f"{self.wall}.{self.logical:010d}"


class Books:
    """Writes rows. Versions strictly rise, whatever the clock does."""

    def __init__(
        self, random: Random, models: Mapping[str, Model], clock: Callable[[], int]
    ) -> None:
        self.random = random
        self.values = Values(random)
        self.models = dict(models)
        self._clock = clock
        self._last = Moment(0, 0)
        self._looked_at = False  # since the last event
        self._references = REFERENCES | {_reference(name): name for name in models}

    def insert(
        self, company: Company, table: str, given: Mapping[str, Value] | None = None
    ) -> ShopEvent:
        """Write a new row; columns that are not *given* get suiting values."""
        now, model = self._now(), self.models[table]
        row = self._new_row(company, model, now, given or {})
        key = tuple(str(row[name]) for name in model.keys)
        text = self._text({**row, **self._private(model, now)})
        return self._write(company, StoredRow(key, model, now.milliseconds, text), now)

    def revive(self, company: Company, old: StoredRow) -> ShopEvent:
        """Write a new row under the key of a deleted one."""
        keys = zip(old.model.keys, old.key, strict=True)
        return self.insert(company, old.model.table, dict(keys))

    def update(
        self, company: Company, old: StoredRow, given: Mapping[str, Value]
    ) -> ShopEvent:
        """Change the *given* columns of a row, and bring it to its latest model."""
        now, model = self._now(), self.models[old.model.table]
        # Some software below the application changes rows without a new version.
        version = old.version if self.values.chance(0.1) else now.milliseconds
        tokens = old.tokens()
        row = self._kept(old, model, tokens, now) | dict(given)
        row["updatedDate"] = self.values.time(now.wall)
        if "meta" in row:
            row["meta"] = self._meta(model, version)
        new = StoredRow(old.key, model, version, self._text(row))
        return self._write(company, new, now, old, _diff(tokens, new.tokens()))

    def delete(self, company: Company, old: StoredRow) -> ShopEvent:
        """Take a row out for good."""
        now, before = self._now(), msgspec.Raw(old.text)
        company.stores[old.model.table].remove(old.key)
        company.deleted.append(old)
        body: dict[str, Value] = {"before": before}
        if self.values.chance(0.2):  # absent, null, or even the old row
            body["after"] = before if self.values.chance(0.3) else None
        gone = StoredRow(old.key, old.model, now.milliseconds, old.text)
        return self._event(company, "DELETE", gone, now, body)

    def state(self, companies: Sequence[Company]) -> State:
        """Return all rows as `fold` does. No later event shares a moment with them."""
        self._looked_at = True
        state: State = {}
        for company in companies:
            for table, store in company.stores.items():
                rows = state.setdefault(table, {})
                for row in store.rows():
                    rows[row.key] = public_row(decode_exactly(row.text), row.model)
        return state

    def _write(
        self,
        company: Company,
        row: StoredRow,
        now: Moment,
        old: StoredRow | None = None,
        diff: Sequence[str] = (),
    ) -> ShopEvent:
        company.stores.setdefault(row.model.table, RowStore()).put(row)
        body: dict[str, Value] = {"after": msgspec.Raw(row.text)}
        if old is not None:
            body |= {"before": msgspec.Raw(old.text), "diff": list(diff)}
            return self._event(company, "UPDATE", row, now, body)
        if self.values.chance(0.5):
            body["before"] = None
        return self._event(company, "INSERT", row, now, body)

    def _event(
        self,
        company: Company,
        operation: str,
        row: StoredRow,
        now: Moment,
        body: dict[str, Value],
    ) -> ShopEvent:
        event_id = f"{self.random.getrandbits(64):016x}"
        table, location = row.model.table, row.text_of("locationId")
        region = [REGION] if self.values.chance(0.2) else []
        envelope: dict[str, Value] = {
            "operation": operation,
            "id": event_id,
            "table": table,
            "key": [*region, *row.key],
            "companyId": company.id,
            "locationId": location,
            "userId": self._someone(company),
            "version": row.version,
            "modelVersion": row.model.version,
            "timestamp": now.milliseconds + self.random.randrange(50),
            "mvccTimestamp": str(now),
            "region": "",
        }
        payload = msgspec.json.encode(envelope | body)
        return ShopEvent(
            id=event_id,
            table=table,
            operation=operation,
            company=company.id,
            location=location,
            key=row.key,
            version=row.version,
            model=row.model,
            payload=payload,
        )

    def _now(self) -> Moment:
        wall = self._clock()
        same = self._last.wall and self.values.chance(0.05) and not self._looked_at
        self._looked_at = False
        if wall <= self._last.wall or same:
            # The same transaction, or a clock that stands still.
            self._last = Moment(self._last.wall, self._last.logical + 1)
        else:
            self._last = Moment(wall, 0)
        return self._last

    def _new_row(
        self, company: Company, model: Model, now: Moment, given: Mapping[str, Value]
    ) -> dict[str, Value]:
        row = {
            column.name: given[column.name]
            if column.name in given
            else self._new_value(company, model, column, now)
            for column in model.columns
        }
        key = tuple(str(row[name]) for name in model.keys)
        last = model.keys[-1]
        if last not in given and company.has(model.table, key):
            row[last] = self.values.identifier()  # these two rows are linked already
        return row

    def _new_value(
        self, company: Company, model: Model, column: Column, now: Moment
    ) -> Value:
        if column.name in NULL_AT_FIRST:
            return None
        match column.name:
            case "id":
                return self.values.identifier()
            case "companyId":
                return company.id
            case "createdDate":
                return self.values.time(now.wall)
            case "meta":
                return self._meta(model, now.milliseconds)
            case _:
                return self._any_value(company, column, now)

    def _any_value(self, company: Company, column: Column, now: Moment) -> Value:
        value = self.values.value(column, now.wall)
        if value is not None and column.name in self._references:
            referred = company.pick(self._references[column.name], self.random)
            return referred.key[0] if referred else self.values.identifier()
        return value

    def _kept(
        self,
        old: StoredRow,
        model: Model,
        tokens: Mapping[str, msgspec.Raw],
        now: Moment,
    ) -> dict[str, Value]:
        if model is old.model:
            return dict(tokens)
        private = {n: t for n, t in tokens.items() if not old.model.has(n)}
        same = {column.name for column in model.columns if column in old.model.columns}
        public = {
            column.name: tokens[column.name]
            if column.name in same
            else self.values.value(column, now.wall)
            for column in model.columns
        }
        return {**public, **{n: t for n, t in private.items() if n not in public}}

    def _private(self, model: Model, now: Moment) -> dict[str, Value]:
        """Return columns that no model has, yet are on the wire."""
        columns: dict[str, Value] = {"crdb_region": REGION}
        if not model.has("meta"):
            columns["meta"] = self._meta(model, now.milliseconds)
        if self.values.chance(0.3):
            columns["internalNumber"] = self.random.randrange(10**6)
        return columns

    def _meta(self, model: Model, version: int) -> Value:
        return {"userId": "system", "version": version, "modelVersion": model.version}

    def _someone(self, company: Company) -> str:
        user = company.pick("user", self.random)
        return user.key[0] if user and self.values.chance(0.8) else "system"

    def _text(self, row: Mapping[str, Value]) -> bytes:
        text = msgspec.json.encode(row)
        if self.values.chance(0.1):  # some encoders escape all that is not ASCII
            return NON_ASCII.sub(_escape, text.decode()).encode()
        return text


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _diff(
    old: Mapping[str, msgspec.Raw], new: Mapping[str, msgspec.Raw]
) -> Sequence[str]:
    return [name for name, token in new.items() if old.get(name) != token]


def _reference(table: str) -> str:
    first, *others = table.split("_")
    return "".join([first, *(word.capitalize() for word in others)]) + "Id"
