"""What EDS would change of a destination's tables now, and doing it for a person.

A table's model is what the shop's service says of it today, together with what rows
that came have waited for: these may be of older versions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from .credentials import read_credentials
from .destination import Destination
from .doctor.streaming import schemas
from .errors import DecodeError, RejectedError, TableError, coded
from .failpoints import reached
from .findings import Finding, Verdict
from .gate import is_held, model_of
from .policy import Policy
from .schema import SchemaChange, TableSchema, merged
from .stream import Connection, Settings
from .transforms import Transforms

log = logging.getLogger("eds")


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a table needs, and the statements for it."""

    table: str
    change: SchemaChange | None  # None: nothing
    statements: Sequence[str] | None = ()  # None: the driver cannot tell
    error: str = ""  # why it cannot be changed
    advice: str = ""


#: A table that is parked for a change of which no record is kept.
_UNKNOWN = partial(
    TablePlan,
    change=None,
    error="it is parked until it changes, and how is not recorded here",
    advice="with --creds the shop's service is asked",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that there is to do."""

    own: Sequence[str]  # the statements that make EDS's own tables
    tables: Sequence[TablePlan]  # of all that were looked at
    waiting: Sequence[str]  # tables for which something waits, or that are parked so
    unknown: Sequence[str] = ()  # tables that the shop's service does not describe
    privileges: Sequence[Finding] = ()  # that are missing
    renames: Sequence[Finding] = ()  # columns that a person may have renamed

    @property
    def changes(self) -> Sequence[TablePlan]:
        """The tables that need something, also those where it cannot be done."""
        return [t for t in self.tables if t.change is not None or t.error]

    @property
    def to_do(self) -> bool:
        return bool(self.own or self.changes or self.waiting)


def tables_of(destination: Destination, names: Iterable[str]) -> list[str]:
    """Those that EDS writes to here, and those of *names* that are there."""
    ledger = destination.ledger
    met = {status.table for status in ledger.statuses()}
    met |= {parked.table for parked in ledger.parked()}
    return sorted(met | {name for name in names if destination.columns(name)})


async def ask(
    credentials: Path,
    servers: Sequence[str],
    tables: Iterable[str],
    policy: Policy | None = None,
) -> Mapping[str, TableSchema]:
    """What the shop's service says of *tables*; what it does not know is left out.

    The names in *policy* are checked, as a server does at its start.
    """
    found = read_credentials(credentials)
    settings = Settings(
        servers=tuple(servers),
        credentials=credentials,
        name=f"eds-plan-{found.name or 'unknown'}",
        account=found.account,
        companies=found.companies,
    )
    connection = Connection(settings)
    try:
        await connection.open()
        if policy is not None:
            await policy.check(partial(_one, connection))
        return await schemas(connection, tables)
    finally:
        await connection.close()


async def _one(connection: Connection, table: str) -> TableSchema | None:
    return (await schemas(connection, [table])).get(table)


def transformed(
    models: Mapping[str, TableSchema], transforms: Transforms | None
) -> dict[str, TableSchema]:
    """*models* as they are written: without what is left out."""
    if transforms is None:
        return dict(models)
    wanted = {t: m for t, m in models.items() if not transforms.drops(t)}
    return {table: transforms.of(model).table for table, model in wanted.items()}


def plan(
    destination: Destination,
    models: Mapping[str, TableSchema],
    unknown: Iterable[str] = (),
) -> Plan:
    """Compare *models*, and what waits, with what is there; changes nothing.

    *unknown*: tables that were asked for, and have no model.
    """
    every = {table: [model] for table, model in models.items()}
    steps = destination.ledger.schema_steps(outcome="waiting")
    for step in steps:
        every.setdefault(step.table, []).append(model_of(step))
    parked = destination.ledger.parked()
    waiting = {p.table for p in parked if is_held(p) and not p.resume}
    waiting |= {step.table for step in steps}
    tables = [_of_table(destination, *each) for each in every.items()]
    tables += [_UNKNOWN(table) for table in waiting - every.keys()]
    found = Plan(
        destination.ledger.missing(),
        sorted(tables, key=lambda each: each.table),
        sorted(waiting),
        sorted(set(unknown) - every.keys()),
    )
    if found.own or found.changes:
        return _with_findings(destination, found)
    return found


def _of_table(
    destination: Destination, table: str, models: Sequence[TableSchema]
) -> TablePlan:
    try:
        change = destination.lacking(merged(models))
        if change is None:
            return TablePlan(table, None)
        return TablePlan(table, change, destination.driver.plan(change))
    except (DecodeError, RejectedError, TableError) as error:
        return TablePlan(table, None, error=coded(error), advice=error.advice)


def _with_findings(destination: Destination, found: Plan) -> Plan:
    """The driver's doctor knows what this user may not do, and what looks odd."""
    models = {t.table: t.change.table for t in found.tables if t.change is not None}
    wrong = [
        finding
        for finding in destination.diagnose(models)
        if finding.verdict is Verdict.WRONG
    ]
    return replace(
        found,
        privileges=[each for each in wrong if each.about == "privileges"],
        renames=[each for each in wrong if each.about == "columns"],
    )


def apply(destination: Destination, found: Plan) -> list[TablePlan]:
    """Make the changes of *found*, and have parked tables go on; what failed, and why.

    What fails of one table keeps no other one. To be repeated after a crash.
    """
    destination.ledger.create()
    failed = []
    for table in found.tables:
        reached("apply.begin")
        if (error := _applied(destination, table)) is not None:
            failed.append(error)
        else:
            reached("apply.migrated")
            _go_on(destination, table.table)
            reached("apply.done")
    return failed


def _applied(destination: Destination, found: TablePlan) -> TablePlan | None:
    if found.error:
        return found
    try:
        if found.change is not None:
            destination.migrate(found.change)
            log.info("%s", found.change)
    except (RejectedError, TableError) as error:
        return TablePlan(
            found.table, found.change, (), error=coded(error), advice=error.advice
        )
    return None


def _go_on(destination: Destination, table: str) -> None:
    """A table that was parked for a change is asked for again."""
    ledger = destination.ledger
    with destination.transaction():
        if any(is_held(parked) for parked in ledger.parked() if parked.table == table):
            ledger.request_resume(table)
            log.info("table %s goes on: the server reads it again", table)
        ledger.forget_waiting(table)
        reached("apply.asked")
