"""Layer 5, model: made-up histories, and a dict that says what has to come out."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from eds_core.batch import Batch
from eds_core.errors import TableError, TakenOver
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import Column, ColumnType, TableSchema, diff
from eds_core.testing.history import (
    KEYS,
    Deed,
    Fold,
    apply,
    deeds,
    event_of,
    histories,
    row_of_deed,
)
from eds_core.testing.shop import Shop, Traces, unique
from eds_core.testing.suite import Suite

from .ledger import TIME, claimed

_SHRINK = "EDS_TEST_SHRINK"
_EXAMPLES = "EDS_TEST_EXAMPLES"
_MARKER = "hypothesis_stateful_rule"  # what Hypothesis puts on a rule
_STEPS = 15
_BASE = (
    Column("id", ColumnType.TEXT),
    Column("name", ColumnType.TEXT),
    Column("total", ColumnType.INTEGER),
)


class Model(Suite):
    """Whatever comes in whatever order: the table is the fold of it by version."""

    @classmethod
    def rules(cls) -> set[str]:
        return {name for name, each in vars(Life).items() if hasattr(each, _MARKER)}

    def test_any_order_equals_the_fold(
        self, destination_url: str, conformance_traces: Traces
    ) -> None:
        """Distinct versions, any permutation with repetitions, cut into any batches."""

        @self.tried
        @given(history=histories(_BASE))
        def check(history: tuple[list[Deed], list[Deed], list[bool]]) -> None:
            with self.opened(destination_url, conformance_traces) as shop:
                arrive(shop, *history)

        check()

    def test_a_life_of_a_table_equals_its_model(
        self, destination_url: str, conformance_traces: Traces
    ) -> None:
        """Batches, imports, restarts, new columns, failures and a rival."""
        hidden = dict.fromkeys(self.skips.keys() & self.rules())
        if self.lacking("transactions"):
            hidden |= {"fail_halfway": None, "be_taken_over": None}
        given_ = {"suite": self, "url": destination_url, "traces": conformance_traces}
        machine = type("Life", (Life,), {**hidden, **given_})

        run_state_machine_as_test(machine, settings=self.settings())

    def tried(self, check: Any) -> Any:
        return self.settings()(check)

    def settings(self) -> settings:
        wish = os.environ.get(_SHRINK)
        shrinks = self.shrinks if wish is None else wish == "1"
        examples = os.environ.get(_EXAMPLES)
        return settings(
            max_examples=int(examples) if examples else self.max_examples,
            stateful_step_count=_STEPS,
            deadline=None,
            phases=[p for p in Phase if shrinks or p is not Phase.shrink],
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        )


def arrive(
    shop: Shop, every: list[Deed], arrival: list[Deed], cuts: list[bool]
) -> None:
    """Write *arrival*, cut into batches; the table has to be the fold of *every*."""
    table = TableSchema(unique(), "1", _BASE, ("id",))
    shop.prepare(table)
    batch = Batch()
    for deed, cut in zip(arrival, cuts, strict=True):
        batch.add(event_of(deed, table), table)
        if cut:
            with shop.transaction():
                write(shop, batch, table.name)
            batch = Batch()
    with shop.transaction():
        write(shop, batch, table.name)

    fold = Fold()
    for deed in sorted(every, key=lambda deed: deed.version):
        apply(fold, deed, table)
    assert shop.rows(table) == fold.sorted(table)


def write(shop: Shop, batch: Batch, table: str) -> None:
    """Do as the server does with a batch, in a transaction that is open."""
    for run in batch.runs.get(table, []):
        shop.delete(run.table, run.deletes)
        shop.upsert(run.table, run.upserts)


class Life(RuleBasedStateMachine):
    """A table's life, beside a model of it; after each step they are equal."""

    suite: ClassVar[Suite]
    url: ClassVar[str]
    traces: ClassVar[Traces]

    def __init__(self) -> None:
        super().__init__()
        self.fold = Fold()
        self.position = 1
        self.last: list[tuple[Deed, TableSchema]] = []
        self._open()

    def _open(self) -> None:
        self._opened = self.suite.opened(self.url, self.traces)
        self.shop = self._opened.__enter__()

    def _close(self) -> None:
        self._opened.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        self.models = [TableSchema(unique(), "1", _BASE, ("id",))]
        self.shop.prepare(self.table)
        self.company = self.traces.company()
        first = Checkpoint(self.company, self.position, TIME, "a", "s", "p")
        self.shop.ledger.establish(first)
        self.epoch = claimed(self.shop.ledger, self.company).epoch

    @property
    def table(self) -> TableSchema:
        return self.models[-1]

    @rule(data=st.data())
    def write_a_batch(self, data: st.DataObject) -> None:
        self._write(self._drawn(data))

    @rule()
    def write_the_last_batch_again(self) -> None:
        self._write(self.last)

    def _drawn(self, data: st.DataObject) -> list[tuple[Deed, TableSchema]]:
        """Events of any of the models so far: an old one may come late."""
        found = []
        for _ in range(data.draw(st.integers(1, 6))):
            table = data.draw(st.sampled_from(self.models))
            found.append((data.draw(deeds(table.columns)), table))
        return found

    def _write(self, arrival: list[tuple[Deed, TableSchema]]) -> None:
        batch = Batch()
        for deed, table in arrival:
            batch.add(event_of(deed, table), table)
        with self.shop.transaction():
            self._advance()
            write(self.shop, batch, self.table.name)
        self.position += 1
        self.fold.write(batch, self.table.name)
        self.last = arrival

    def _advance(self) -> None:
        move = Move(self.company, self.epoch, self.position, self.position + 1, TIME)
        self.shop.ledger.advance([move])

    @rule(data=st.data())
    def fail_halfway(self, data: st.DataObject) -> None:
        batch = Batch()
        for deed, table in self._drawn(data):
            batch.add(event_of(deed, table), table)
        with pytest.raises(ZeroDivisionError), self.shop.transaction():
            self._advance()
            write(self.shop, batch, self.table.name)
            raise ZeroDivisionError

    @rule(data=st.data())
    def import_rows(self, data: st.DataObject) -> None:
        table = data.draw(st.sampled_from(self.models))
        drawn = data.draw(st.lists(deeds(table.columns), max_size=6))
        rows = [row_of_deed(deed) for deed in drawn]
        self.shop.bulk_load(table, iter(rows))
        for row in rows:
            self.fold.upsert(row, table)

    @rule(kind=st.sampled_from(ColumnType))
    def add_a_column(self, kind: ColumnType) -> None:
        new = Column(f"c{len(self.table.columns)}", kind)
        self._become((*self.table.columns, new))

    @rule(data=st.data())
    def widen_a_column(self, data: st.DataObject) -> None:
        whole = [c for c in self.table.columns if c.type is ColumnType.INTEGER]
        if not whole:
            return
        column = data.draw(st.sampled_from(whole))
        wide = Column(column.name, ColumnType.DECIMAL)
        columns = (wide if c is column else c for c in self.table.columns)
        self._become(tuple(columns))

    def _become(self, columns: tuple[Column, ...]) -> None:
        version = str(len(self.models) + 1)
        table = TableSchema(self.table.name, version, columns, ("id",))
        change = diff(table, self.shop.driver.columns(table.name))
        assert change is not None
        try:
            self.shop.migrate(change)
        except TableError:
            assert change.widens, "adding a column may not fail"
            return  # this database cannot widen
        self.shop.migrate(change)  # as after a crash
        assert self.shop.prepare(table) is None
        self.models.append(table)

    @rule()
    def restart(self) -> None:
        self._close()
        self._open()
        found = self.shop.ledger.reclaim(self.company, self.epoch, "me")
        assert found.sequence == self.position
        self.epoch = found.epoch

    @rule(key=st.sampled_from(KEYS))
    def be_taken_over(self, key: str) -> None:
        with self.shop.another() as rival:
            theirs = claimed(rival.ledger, self.company, "you")
        with pytest.raises(TakenOver), self.shop.transaction():
            self.shop.remove(self.table, 10**19, key)
            self._advance()
        self.epoch = claimed(self.shop.ledger, self.company).epoch
        assert self.epoch == theirs.epoch + 1

    @invariant()
    def equal_to_the_model(self) -> None:
        if hasattr(self, "models"):
            assert self.shop.rows(self.table) == self.fold.sorted(self.table)
            found = self.shop.ledger.checkpoints()[self.company]
            assert found.sequence == self.position

    def teardown(self) -> None:
        self._close()
