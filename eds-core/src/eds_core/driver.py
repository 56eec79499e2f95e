"""The driver contract: one class that is both base class and hook specification."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import pluggy

from .errors import ConfigError
from .event import Key, Row, Version, VersionedKey
from .findings import Finding
from .ledger import Ledger
from .schema import ColumnType, SchemaChange, TableSchema

PROJECT = "eds"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

#: The version of the contract below. A driver says which one it was written for.
CONTRACT = 1
#: The oldest one that a driver may still keep.
OLDEST_CONTRACT = 1

#: What an attribute or a method of a driver was called once -> what it is called now.
#: The old name works for at least one minor version, and warns.
RENAMED: Mapping[str, str] = {}

#: Hooks that exactly one driver implements, and what the first contract gives each.
#: A later contract may give more: a driver that does not ask for it is not given it.
VERBS: Mapping[str, tuple[str, ...]] = {
    "migrate": ("change",),
    "upsert": ("table", "rows"),
    "delete": ("table", "keys"),
    "bulk_load": ("table", "rows"),
}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the pipeline has to know about a driver. Nothing else branches on it."""

    #: Rows and checkpoint can be committed together, and rolled back together.
    transactions: bool = True
    #: Rows older than what is there stay out, and what changed is counted. Without:
    #: all is appended, and whoever reads takes the highest version of each key.
    guards: bool = True
    #: Rows in one call of ``upsert``.
    max_rows: int = 5_000
    #: Rows that a bulk load writes at once, and an import in one transaction.
    bulk_rows: int = 5_000
    #: Instances that an import may open side by side, each for other tables.
    writers: int = 1
    #: A bulk load takes less time for rows that have ``cells``.
    cells: bool = False
    #: Verbs need not wait for each other: see ``Driver.together``.
    together: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a bulk load has written: rows that were not there, and rows that were."""

    inserted: int = 0
    updated: int = 0

    @property
    def changed(self) -> int:
        return self.inserted + self.updated

    def __add__(self, other: Loaded) -> Loaded:
        return Loaded(self.inserted + other.inserted, self.updated + other.updated)


class Driver(ABC):
    """One destination. Used from one thread, never concurrently.

    Errors are decisions: raise the class of ``eds_core.errors`` that says what the
    pipeline should do. No method may let a database's own exception through.
    """

    #: The contract that this driver was written for; unsaid, the first.
    contract: ClassVar[int] = 1
    #: What people call the database.
    title: ClassVar[str]
    #: A URL to copy, without a real password.
    example_url: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()

    #: Where positions, quarantine and table states are kept.
    ledger: Ledger
    #: Set before ``open``: nothing may be written (a dry run). A destination that
    #: would have to be made then looks empty.
    read_only: bool = False
    #: Set before ``open``: who this is, for the record of what is done to tables.
    actor: str = ""
    #: Set before ``diagnose``: the shop's tables are this user's to make and to alter.
    #: False: somebody else does that, and privileges for it are none that are missing.
    alters: bool = True
    #: Seconds that a change may wait for others, to spare a destination that costs
    #: by the commit. 0: it is written at once.
    freshness: float = 0.0

    @abstractmethod
    def __init__(self, url: str) -> None:
        """Parse *url*, or raise ConfigError; never touch the network."""

    @abstractmethod
    def open(self) -> None:
        """Connect, within 10 seconds. Also after ``close``, to connect again.

        Raises ConfigError for what the user must change (password, database,
        privilege), TransientError when the server cannot be reached now, and
        OtherDriver when the server is one that another driver speaks to.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go. Twice is fine; after a failed ``open`` is fine."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """What happens inside is committed at the end, or not at all."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Inside a transaction: what fails inside is undone, the rest stands."""
        return nullcontext()

    def together(self) -> AbstractContextManager[Mapping[str, int]]:
        """Inside a transaction, around verbs that need not wait for each other.

        A verb inside returns 0. What it changed is in the mapping, by the table's
        name, when the block has ended; what it got wrong is raised by any verb behind
        it, or at the end, so that nobody knows whose it was. Asked for where
        ``capabilities.together`` is set.
        """
        return nullcontext({})

    @abstractmethod
    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        """The real table's columns; empty when there is none.

        None for a type that this driver would not have chosen.
        """

    def count(self, table: str) -> int:
        """How many rows *table* has; 0 when there is none. For people, not for EDS."""
        raise ConfigError(f"{self.title} cannot count the rows of {table}")

    def key(self, table: str) -> tuple[str, ...]:
        """The primary key of an existing *table*; empty when it is not known."""
        del table
        return ()

    def read(self, table: TableSchema, after: Key | None, most: int) -> list[Row]:
        """At most *most* rows behind the key *after*, in the order of the key.

        Of the columns of *table*, as JSON with every digit; those that the real
        table lacks are left out. A row without a version is the oldest. For what
        compares a destination, not for the stream.
        """
        del after, most
        raise ConfigError(
            f"{self.title} cannot read the rows of {table.name} back",
            advice="leave out --prune and --verify, which compare them",
        )

    def unversioned(
        self, table: TableSchema, keys: Sequence[Key] | None = None
    ) -> list[Row]:
        """Rows that an old server has written, which kept no versions.

        Those of *keys*; without, one of them if there is any.
        """
        del table, keys
        return []

    def deleted(self, table: TableSchema, keys: Sequence[Key]) -> Mapping[Key, Version]:
        """Those of *keys* whose deletion is remembered, with its version."""
        del table, keys
        return {}

    def adopted(self, table: str) -> bool:
        """Say whether an existing *table* has what EDS itself keeps in each.

        False for one that an old server made: ``migrate`` then sees to it.
        """
        del table
        return True

    def plan(self, change: SchemaChange) -> Sequence[str] | None:
        """The statements that ``migrate`` would run for *change* now, in their order.

        None: this driver cannot tell. Runs none of them; raises TableError where
        ``migrate`` would, as far as that can be known.
        """
        del change
        return None

    def endpoint(self) -> tuple[str, int] | None:
        """Host and port of the one server that the URL names; None: no such thing."""
        return None

    @hookspec
    def diagnose(self, models: Mapping[str, TableSchema]) -> Iterable[Finding]:
        """What a person should know of this destination, good and bad; `eds doctor`.

        Called after ``open`` of a driver that is ``read_only``; changes nothing.
        *models*: how the shop describes its tables today, as far as that is known.
        """
        del models
        return ()

    @abstractmethod
    @hookspec(firstresult=True)
    def migrate(self, change: SchemaChange) -> int:
        """Make the table able to hold *change*; return how many statements ran.

        Outside of data transactions. Idempotent: what exists already is no error.
        Never drops a table, a column or a value.
        """

    @abstractmethod
    @hookspec(firstresult=True)
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        """Write *rows* (distinct keys) that are not older than what is there.

        A row older than its tombstone does nothing; an equal version wins. Columns
        outside of *table* are untouched; a column of *table* that a row lacks
        becomes NULL. Idempotent. Returns how many rows changed.
        """

    @abstractmethod
    @hookspec(firstresult=True)
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        """Remove rows that are not newer, and remember each deletion's version.

        Absent keys are no error. Idempotent. Returns how many rows were removed.
        """

    @abstractmethod
    @hookspec(firstresult=True)
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        """Write many rows under the same rules as ``upsert``, by the fastest road.

        In the transaction that is open, or else in some of its own. Streaming:
        memory does not grow with the number of rows. Keys may repeat; one that does
        may count more than once. A row that is there already, exactly so, may count
        as updated or not at all.
        """
