"""Hooks for everything that is not a driver, and finding who implements them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Full, Queue
from threading import Thread
from typing import NamedTuple

import msgspec

from .contract import UNUSABLE
from .driver import PROJECT, hookspec
from .errors import ConfigError
from .installed import entry_points
from .ledger import Quarantined, TableStatus
from .schema import TableSchema

log = logging.getLogger("eds.plugins")

PLUGINS = "eds.plugins"


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What one transaction did."""

    events: int
    bytes: int
    seconds: float  # from the first statement to the commit
    rows: Mapping[str, int]  # by table: rows written and deleted
    quarantined: int
    #: Seconds from publishing to commit, one per event. Empty for replays.
    latencies: tuple[float, ...] = field(default=(), repr=False)
    pending: int = 0  # messages the stream still holds for us
    #: By table and company: its newest event, how late that was, how many there were.
    tables: Mapping[tuple[str, str], TableStatus] = field(default_factory=dict)


class Observer:
    """Hooks that watch. Any number of plugins may implement any of them.

    They are called in the stream's own thread: return at once, and leave what takes
    time to a ``Background``. What one raises is logged, and stops nothing.
    """

    @hookspec
    def batch_written(self, report: BatchReport) -> None:
        """A transaction was committed."""

    @hookspec
    def batch_failed(self, error: Exception) -> None:
        """A transaction was rolled back; the pipeline decides what follows."""

    @hookspec
    def quarantined(self, entries: Sequence[Quarantined]) -> None:
        """A transaction was committed that has put *entries* into quarantine.

        They hold the shop's data. A message that is tried again and fails again comes
        again. After a crash between the commit and this call, nobody is told.
        """


#: A row while it is changed: each column's JSON text, in the order of the columns.
Columns = dict[str, msgspec.Raw]


class Transform(NamedTuple):
    """What a plugin does to the rows of one table."""

    #: The table as it is then: columns may be gone, new, or of another type. Its name
    #: and its key stay.
    table: TableSchema
    #: Returns the row as it is to be, which may be the argument, changed; None: the
    #: row is left out. What it raises keeps that row from being written.
    row: Callable[[Columns], Columns | None]
    #: Tells this from what was done before: a broken import continues only under the
    #: same name.
    name: str = ""


class Transformer:
    """Hooks that change what is written, before disk or log see any of it.

    What they do must depend on their arguments alone, and doing it to a row twice
    must be the same as once: a message out of the quarantine comes by again.
    """

    @hookspec
    def drops_table(self, table: str) -> bool:  # noqa: ARG002 - a specification
        """Whether nothing of the table of that name is wanted.

        Asked once for each name; no event of such a table is even decoded.
        """
        return False

    @hookspec
    def transform(self, table: TableSchema) -> Transform | None:
        """Say what is to be done to rows of *table*; None: nothing.

        Asked once for each schema that comes, before the first row of it. Rows of an
        import are changed in several threads.
        """


class Background:
    """Does what an observer has to do in a thread of its own, one after the other.

    At most *most* calls wait; more are dropped. *call* limits its own time. Its first
    failure in a row is logged, and the first drop until nothing waits: never each.
    """

    def __init__(
        self, name: str, call: Callable[[object], None], most: int = 100
    ) -> None:
        self._name = name
        self._call = call
        self._waiting: Queue[object] = Queue(most)
        self._fails = self._drops = False
        Thread(target=self._work, name=name, daemon=True).start()

    def put(self, item: object) -> bool:
        """Leave *item* to the thread; False when too many wait. Never blocks."""
        try:
            self._waiting.put_nowait(item)
        except Full:
            if not self._drops:
                log.warning("%s is too slow: what does not fit is dropped", self._name)
            self._drops = True
            return False
        return True

    def _work(self) -> None:
        while True:
            item = self._waiting.get()
            try:
                self._call(item)
                self._fails = False
            except Exception as error:  # noqa: BLE001 - a plugin's call may raise anything
                if not self._fails:
                    log.warning("%s fails: %s", self._name, _kind(error))
                self._fails = True
            if self._waiting.empty():
                self._drops = False


def _kind(error: Exception) -> str:
    """Without its text, which may hold anything, such as a URL with its token."""
    return type(error).__name__


def installed_plugins() -> Iterator[object]:
    """The plugins that installed distributions offer, loaded. Raises ConfigError."""
    for entry in entry_points(group=PLUGINS):
        named = f"plugin {entry.name} ({entry.value})"
        try:
            loaded: object = entry.load()
        except (Exception, SystemExit) as error:  # a plugin's import may raise anything
            raise ConfigError(
                f"{named} cannot be loaded: {error}",
                advice=f"pip uninstall the distribution of {entry.value}, or mend it",
                code=UNUSABLE,
            ) from error
        if wrong := _unheard(loaded):
            raise ConfigError(f"{named}: {wrong[0]}", advice=wrong[1], code=UNUSABLE)
        yield loaded


def _unheard(plugin: object) -> tuple[str, str] | None:
    """Why some of its hooks would never be called, and what to do about it.

    Redaction that is not done must not look like redaction that is.
    """
    if isinstance(plugin, type):
        told = "a class has no hooks that can be called, an object of it has"
        return told, f"let the entry point name an object: plugin = {plugin.__name__}()"
    for name in _HOOKS:
        hook = getattr(plugin, name, None)
        if callable(hook) and not hasattr(hook, f"{PROJECT}_impl"):
            told = f"{name} is not marked as a hook, so that it would never be called"
            return told, "mark it with @eds_core.hookimpl, or call it otherwise"
    return None


def _hooks_of(specification: type) -> list[str]:
    return [name for name in vars(specification) if not name.startswith("_")]


#: What a plugin may have, wrappers aside.
_HOOKS = ("diagnose", *_hooks_of(Observer), *_hooks_of(Transformer))
