"""Shops at work: an endless, repeatable series of change events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Self

from eds_core.sandbox.books import Books, Company
from eds_core.sandbox.event import ShopEvent
from eds_core.sandbox.model import Model, load_models
from eds_core.sandbox.oracle import State
from eds_core.sandbox.rows import StoredRow
from eds_core.sandbox.values import Value
from eds_core.sandbox.work import HABITS, Work, open_shop

# Of the tasks, how many fill the next table in turn: first until each table has
# a row, then ever after.
FILLING_AT_FIRST = 0.6
FILLING_LATER = 0.08


class Shop:
    """An endless iterator of change events of one or more companies.

    Equal seeds and clocks give equal events. What is iterated (or written with
    `insert`, `update` and `delete`) is taken as having happened: `state` has the
    rows that all of these events leave behind.
    """

    def __init__(
        self,
        seed: int,
        companies: Sequence[str],
        models: Mapping[str, Model] | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._random = Random(seed)  # noqa: S311 - repeatable is the point
        self._books = Books(self._random, models or load_models(), clock)
        self._companies = {id_: Company(id_) for id_ in companies}
        self._unopened = list(self._companies.values())
        self._turn: list[str] = list(self._books.models)
        self._random.shuffle(self._turn)
        self._filled = 0
        self._work: Work = iter(())

    def __iter__(self) -> Iterator[ShopEvent]:
        return self

    def __next__(self) -> ShopEvent:
        while True:
            event = next(self._work, None)
            if event is not None:
                return event
            self._work = self._next_work()

    @property
    def models(self) -> Mapping[str, Model]:
        """The latest model of each table."""
        return self._books.models

    def use(self, model: Model) -> Self:
        """Write *model*'s table with it from now on.

        Older rows stay as they are until they are changed.
        """
        self._books.models[model.table] = model
        return self

    def insert(
        self,
        table: str,
        values: Mapping[str, Value] | None = None,
        *,
        company: str | None = None,
    ) -> ShopEvent:
        """Write a row; columns without a value get one that suits them.

        A value is what JSON can say; `msgspec.Raw` is taken to the digit.
        """
        return self._books.insert(self._company(company), table, values)

    def update(
        self, table: str, key: Sequence[str], values: Mapping[str, Value]
    ) -> ShopEvent:
        company, row = self._find(table, key)
        return self._books.update(company, row, values)

    def delete(self, table: str, key: Sequence[str]) -> ShopEvent:
        company, row = self._find(table, key)
        return self._books.delete(company, row)

    def state(self) -> State:
        """Return the rows now, by table and key, without private columns."""
        return self._books.state(list(self._companies.values()))

    def _next_work(self) -> Work:
        if self._unopened:
            return open_shop(self._books, self._unopened.pop(0))
        company = self._random.choice(list(self._companies.values()))
        first = self._filled < len(self._turn)
        if self._books.values.chance(FILLING_AT_FIRST if first else FILLING_LATER):
            return self._fill(company)
        weights = [habit.weight for habit in HABITS]
        (habit,) = self._random.choices(HABITS, weights)
        return habit.task(self._books, company)

    def _fill(self, company: Company) -> Work:
        table = self._turn[self._filled % len(self._turn)]
        self._filled += 1
        yield self._books.insert(company, table)

    def _company(self, id_: str | None) -> Company:
        return self._companies[id_ if id_ is not None else next(iter(self._companies))]

    def _find(self, table: str, key: Sequence[str]) -> tuple[Company, StoredRow]:
        for company in self._companies.values():
            store = company.stores.get(table)
            row = store.get(tuple(key)) if store else None
            if row is not None:
                return company, row
        raise KeyError(f"no row {tuple(key)} in {table}")
