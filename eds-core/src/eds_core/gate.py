"""Whether EDS changes the shop's tables itself, or leaves that to a person."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from .driver import Driver
from .errors import EdsError, TableError
from .ledger import Parked, SchemaStep
from .moments import as_text
from .schema import SchemaChange, TableSchema

log = logging.getLogger("eds.pipeline")

_WAITS = "E2122"  # for `eds explain`
_OFF = "E2123"


class SchemaChanges(StrEnum):
    """What happens when a table has to be made, or to get a column or a wider type."""

    AUTO = "auto"  # EDS does it
    REVIEW = "review"  # it waits for `eds apply`
    OFF = "off"  # EDS never does it


def is_for_review(error: EdsError) -> bool:
    """Whether *error* says no more than that a change waits for a person."""
    return error.code == _WAITS


class Gate:
    """Lets changes of the shop's tables pass, or keeps them for a person."""

    def __init__(self, mode: SchemaChanges = SchemaChanges.AUTO) -> None:
        self._mode = mode

    def check(self, driver: Driver, change: SchemaChange) -> None:
        """Raise TableError for a *change* that EDS may not make.

        It is kept for `eds plan` and `eds apply` before. Outside of transactions.
        """
        if self._mode is SchemaChanges.AUTO:
            return
        driver.ledger.record_step(waiting(driver, change))
        if self._mode is SchemaChanges.REVIEW:
            raise TableError(
                f"the table has to change, which waits for review: {change}",
                table=change.table.name,
                advice="look with `eds plan URL`, run it with `eds apply URL`; or run "
                "that SQL yourself, then `eds resume TABLE`",
                code=_WAITS,
            )
        raise TableError(
            f"the table has to change, and --schema-changes is off: {change}",
            table=change.table.name,
            advice="`eds plan URL` prints the SQL for whoever may run it, then `eds "
            f"resume TABLE`; or do without: {_without(change)}",
            code=_OFF,
        )


def _without(change: SchemaChange) -> str:
    """The option of the server by which the change is not needed."""
    name = change.table.name
    if change.creates or not change.adds or change.widens:
        return f"--except {name}"
    return f"--exclude-column {','.join(f'{name}.{c.name}' for c in change.adds)}"


def waiting(driver: Driver, change: SchemaChange) -> SchemaStep:
    """The entry of a *change* that waits; equal models of a table have one entry.

    Raises TableError for what cannot be done at all.
    """
    model = msgspec.json.encode(change.table)
    told = driver.plan(change)
    return SchemaStep(
        hashlib.sha256(model).hexdigest()[:32],
        change.table.name,
        str(change) if told is None else ";\n".join(told),
        "waiting",
        actor=driver.actor,
        at=as_text(time.time_ns()),
        model=model.decode(),
    )


def model_of(step: SchemaStep) -> TableSchema:
    """What the table of a *step* that waits has to hold."""
    return msgspec.json.decode(step.model, type=TableSchema)


class Waiting:
    """Tells which tables wait for review: no error, but somebody has to look."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, parked: Iterable[Parked]) -> None:
        """Log the tables of *parked* that wait, all at once, if there are others."""
        names = {each.table for each in parked if _says(each, _WAITS)}
        if names - self._told:
            log.warning(
                "waiting for review, while the other tables go on: %s. Look with `eds "
                "plan URL`, run it with `eds apply URL`",
                ", ".join(sorted(names)),
            )
        self._told = names


def is_held(parked: Parked) -> bool:
    """Whether it is for a change that a table is parked."""
    return _says(parked, _WAITS, _OFF)


def _says(parked: Parked, *codes: str) -> bool:
    """Whether its reason ends in one of *codes*, as ``errors.coded`` tells it."""
    return parked.reason.endswith(tuple(f"[{code}]" for code in codes))
