"""Change events with a fixed seed: equal seeds give equal bytes on every machine.

Eight tables of 10 to 70 columns, 40,000 possible rows of which few are changed
often (zipf): what a busy shop looks like to a server that catches up. The first
event of a row is an INSERT, so that short runs hold more of them than long ones.
The values are the sandbox's, awkward ones included. It is no record of a real shop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, count
from random import Random

from eds_core.sandbox import COMPANY, Model, ShopEvent, load_models
from eds_core.sandbox.books import Books, Company
from eds_core.sandbox.values import Value

KEYS = 40_000
ZIPF = 1.05
DELETES = 0.024
WIDEST = 70
SMALL = "core_charge"  # a table of 10 columns
START = 1_735_689_600_000_000_000  # 2025-01-01: versions lie in the past
LOCATION = "6287a4154d1a72cc5ce091bc"
STEP = 1_000_000  # nanoseconds from one change to the next

#: Each table's share of the events, in percent.
SHARES: Mapping[str, int] = {
    "core_charge": 6,  # 10 columns
    "authorization": 6,  # 14
    "fee": 8,  # 22
    "appointment": 6,  # 27
    "customer": 8,  # 35
    "vehicle": 10,  # 41
    "service": 10,  # 54
    "order": 46,  # 70
}


@dataclass(frozen=True, slots=True)
class Keys:
    """One table's possible rows; some of them come up often."""

    ids: tuple[str, ...]
    weights: tuple[float, ...]  # cumulative

    def pick(self, random: Random) -> str:
        (found,) = random.choices(self.ids, cum_weights=self.weights)
        return found


def bench_models() -> dict[str, Model]:
    """The tables of the benchmarks: the sandbox's, `order` cut to 70 columns."""
    every = load_models()
    models = {table: every[table] for table in SHARES}
    order = models["order"]
    return models | {"order": replace(order, columns=order.columns[:WIDEST])}


def generate(seed: int = 1, company_id: str = COMPANY) -> Iterator[ShopEvent]:
    """Yield changes for ever."""
    random = Random(seed)
    books, company = new_books(random), Company(company_id)
    keys = {table: _keys(random, share) for table, share in SHARES.items()}
    tables, shares = list(SHARES), list(accumulate(SHARES.values()))
    while True:
        (table,) = random.choices(tables, cum_weights=shares)
        yield _change(books, company, table, keys[table].pick(random))


def updates(seed: int, rows: int, table: str) -> Iterator[ShopEvent]:
    """Yield INSERTs of *rows* rows, and then updates of them in turn, for ever."""
    random = Random(seed)
    books, company = new_books(random), Company(COMPANY)
    ids = [f"{random.getrandbits(96):024x}" for _ in range(rows)]
    while True:
        for id_ in ids:
            yield _change(books, company, table, id_, deletes=0)


def new_books(random: Random) -> Books:
    ticks = count(START, STEP)
    return Books(random, bench_models(), lambda: next(ticks))


def version_of(event: ShopEvent) -> str:
    """The event's `mvccTimestamp`, as it is on the wire."""
    _, _, rest = event.payload.partition(b'"mvccTimestamp":"')
    return rest.partition(b'"')[0].decode()


def _change(
    books: Books,
    company: Company,
    table: str,
    id_: str,
    deletes: float = DELETES,
) -> ShopEvent:
    """What can happen next to a row."""
    store = company.stores.get(table)
    row = store.get((id_,)) if store else None
    if row is None:
        return books.insert(company, table, {"id": id_, "locationId": LOCATION})
    if books.values.chance(deletes):
        return books.delete(company, row)
    return books.update(company, row, _some_values(books, row.model))


def _some_values(books: Books, model: Model) -> dict[str, Value]:
    fixed = {*model.keys, "companyId", "locationId", "createdDate", "meta"}
    free = [column for column in model.columns if column.name not in fixed]
    some = books.random.sample(free, min(len(free), 3))
    return {column.name: books.values.value(column, START) for column in some}


def _keys(random: Random, share: int) -> Keys:
    size = KEYS * share // 100
    ids = tuple(f"{random.getrandbits(96):024x}" for _ in range(size))
    weights = accumulate(1 / rank**ZIPF for rank in range(1, size + 1))
    return Keys(ids, tuple(weights))
