"""Find the driver that a URL names, and a typed face on its hooks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint
from typing import cast

import pluggy

from .contract import UNUSABLE, keep_contract
from .driver import PROJECT, VERBS, Capabilities, Driver, Loaded
from .errors import ConfigError, OtherDriver
from .event import Row, VersionedKey
from .findings import Finding, wrong
from .gate import Gate, SchemaChanges
from .installed import entry_points
from .ledger import Ledger, Quarantined
from .plugins import BatchReport, Observer, Transformer
from .schema import ColumnType, SchemaChange, TableSchema, diff
from .unexpected import unexpected

log = logging.getLogger("eds.plugins")

DRIVERS = "eds.drivers"
_UNCHECKED = "not all has been looked at that could be"

#: Who publishes a driver for a scheme: what follows ``eds-driver-``.
PUBLISHED: Mapping[str, str] = {
    "postgresql": "postgres",
    "cockroachdb": "cockroach",
    "mssql": "sqlserver",
    "sqlserver": "sqlserver",
    "snowflake": "snowflake",
    "mysql": "mysql",
    "mariadb": "mysql",
    "duckdb": "duckdb",
    "kafka": "kafka",
    "file": "parquet",
    "s3": "parquet",
}


def scheme_of(url: str) -> str:
    """The scheme that selects a driver; ``a+b://`` selects ``a``."""
    scheme, separator, _ = url.partition("://")
    if not separator or not scheme:
        raise ConfigError(
            "a destination is a URL such as "
            "postgresql://user:password@host:5432/database",
            advice="`eds drivers` lists what is installed, with an example each",
            code="E1201",
        )
    return scheme.partition("+")[0].lower()


def find_driver(url: str) -> type[Driver]:
    """Return the driver class that the scheme of *url* names.

    Only the chosen distribution is imported. Raises ConfigError.
    """
    scheme = scheme_of(url)
    found = {entry.value: entry for entry in entry_points(group=DRIVERS, name=scheme)}
    if not found:
        raise _unknown(scheme)
    if len(found) > 1:
        raise ConfigError(
            f"{scheme}:// is claimed by {' and '.join(sorted(found))}",
            advice="uninstall all but one of these distributions",
            code=UNUSABLE,
        )
    return load_driver(*found.values())


def _unknown(scheme: str) -> ConfigError:
    known = ", ".join(sorted(entry_points(group=DRIVERS).names)) or "none"
    return ConfigError(
        f"no driver for {scheme}:// is installed; installed: {known}",
        advice=f"pip install eds-driver-{PUBLISHED.get(scheme, scheme)}",
        code="E1202",
    )


def load_driver(entry: EntryPoint) -> type[Driver]:
    """Import the driver class of *entry*. Raises ConfigError, whatever happens."""
    try:
        loaded: object = entry.load()
    except (
        Exception,
        SystemExit,
    ) as error:  # a third party's own
        raise ConfigError(
            f"the driver {entry.value} cannot be loaded: {error}",
            advice="install it again, or report it to its author",
            code=UNUSABLE,
        ) from error
    return keep_contract(entry, loaded)


def open_driver(driver: Driver) -> Driver:
    """Connect; return *driver*, or the one that speaks to the server found there.

    A URL names a wire protocol, and servers of more than one kind speak some.
    """
    try:
        driver.open()
    except OtherDriver as found:
        driver.close()
        other = _other_driver(found)
        other.read_only = driver.read_only
        other.open()
        return other
    return driver


def _other_driver(found: OtherDriver) -> Driver:
    try:
        return find_driver(found.url)(found.url)
    except ConfigError as error:
        raise ConfigError(
            f"{found}; {error}", advice=error.advice, code=error.code
        ) from error


def _hooks(driver: Driver, plugins: Iterable[object]) -> pluggy.HookRelay:
    """A private plugin manager's hooks, with everybody registered."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Driver)
    manager.add_hookspecs(Observer)
    manager.add_hookspecs(Transformer)
    manager.register(driver, name="driver")
    for plugin in plugins:
        manager.register(plugin)
    manager.check_pending()
    return manager.hook


def _line(error: pluggy.PluginValidationError) -> str:
    return "; ".join(str(error).splitlines())


class Destination:
    """Calls the driver through pluggy, so that plugins can wrap each verb."""

    def __init__(
        self,
        driver: Driver,
        plugins: Iterable[object] = (),
        *,
        actor: str = "",
        schema_changes: SchemaChanges = SchemaChanges.AUTO,
    ) -> None:
        self._plugins = tuple(plugins)
        self._actor = actor
        self._alters = schema_changes is SchemaChanges.AUTO
        self._gate = Gate(schema_changes)
        self._failed: set[tuple[str, str]] = set()
        self._drive(driver)

    def _drive(self, driver: Driver) -> None:
        self.driver = driver
        driver.actor = self._actor
        driver.alters = self._alters
        try:
            self._hook = _hooks(driver, self._plugins)
        except pluggy.PluginValidationError as error:
            raise ConfigError(
                f"a driver or plugin does not keep the contract: {_line(error)}",
                advice="install it again in a version for this eds-core",
                code=UNUSABLE,
            ) from error
        for verb in VERBS:
            self._check(verb)
        self._check_diagnose()

    def _check(self, verb: str) -> None:
        """Exactly one implementation per verb, and it is the driver's."""
        hooks = getattr(self._hook, verb).get_hookimpls()
        plain = [hook for hook in hooks if not (hook.wrapper or hook.hookwrapper)]
        if [hook.plugin for hook in plain] != [self.driver]:
            names = " and ".join(hook.plugin_name for hook in plain) or "nobody"
            raise ConfigError(
                f"{verb} is implemented by {names}; it must be by the driver alone",
                advice="mark the driver's verb with @hookimpl, "
                "wrappers with wrapper=True",
                code=UNUSABLE,
            )

    def _check_diagnose(self) -> None:
        """A driver may do without it, but one that has it means it."""
        hooks = self._hook.diagnose.get_hookimpls()
        has_it = type(self.driver).diagnose is not Driver.diagnose
        if has_it and all(hook.plugin is not self.driver for hook in hooks):
            raise ConfigError(
                "the driver's diagnose would never be called",
                advice="mark it with @hookimpl",
                code=UNUSABLE,
            )

    @property
    def title(self) -> str:
        return self.driver.title

    @property
    def capabilities(self) -> Capabilities:
        return self.driver.capabilities

    @property
    def freshness(self) -> float:
        return self.driver.freshness

    @property
    def ledger(self) -> Ledger:
        return self.driver.ledger

    def open(self) -> None:
        """Connect. The driver, and so the ledger, may be another one afterwards."""
        driver = open_driver(self.driver)
        if driver is not self.driver:
            self._drive(driver)

    def close(self) -> None:
        self.driver.close()

    def transaction(self) -> AbstractContextManager[None]:
        return self.driver.transaction()

    def savepoint(self) -> AbstractContextManager[None]:
        return self.driver.savepoint()

    def together(self) -> AbstractContextManager[Mapping[str, int]]:
        return self.driver.together()

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        return self.driver.columns(table)

    def lacking(self, table: TableSchema) -> SchemaChange | None:
        """What the real table lacks before rows of *table* fit into it."""
        change = diff(table, self.columns(table.name))
        if change is None and not self.driver.adopted(table.name):
            return SchemaChange(table)
        return change

    def prepare(self, table: TableSchema) -> SchemaChange | None:
        """Migrate if the real table lacks something; say what was done.

        Raises TableError where that is not EDS's to do.
        """
        change = self.lacking(table)
        if change is not None:
            self._gate.check(self.driver, change)
            self.migrate(change)
        return change

    def migrate(self, change: SchemaChange) -> int:
        return cast(int, self._hook.migrate(change=change))

    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        return cast(int, self._hook.upsert(table=table, rows=rows))

    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        return cast(int, self._hook.delete(table=table, keys=keys))

    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        return cast(Loaded, self._hook.bulk_load(table=table, rows=rows))

    def diagnose(self, models: Mapping[str, TableSchema]) -> list[Finding]:
        """What the driver, and whoever else implements the hook, has to say.

        One that fails says so, and keeps no other.
        """
        found: list[Finding] = []
        for hook in reversed(self._hook.diagnose.get_hookimpls()):
            try:
                findings: object = hook.function(*(models for _ in hook.argnames))
                found.extend(cast(Iterable[Finding], findings))
            except Exception as error:  # noqa: BLE001 - a third party may raise anything
                found.append(wrong("checks", unexpected(error), _UNCHECKED))
        return found

    def batch_written(self, report: BatchReport) -> None:
        self._observe("batch_written", report=report)

    def batch_failed(self, error: Exception) -> None:
        self._observe("batch_failed", error=error)

    def quarantined(self, entries: Sequence[Quarantined]) -> None:
        self._observe("quarantined", entries=entries)

    def _observe(self, hook: str, **arguments: object) -> None:
        """Tell each observer: one that fails keeps neither the others nor the stream.

        Its first failure is said, not each.
        """
        for observer in getattr(self._hook, hook).get_hookimpls():
            try:
                observer.function(*(arguments[name] for name in observer.argnames))
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                failed = observer.plugin_name, hook
                if failed not in self._failed:
                    log.warning(
                        "plugin %s: %s fails: %s", *failed, type(error).__name__
                    )
                self._failed.add(failed)


def open_destination(url: str, plugins: Iterable[object] = ()) -> Destination:
    """Find the driver of *url*, check it, and connect."""
    destination = Destination(find_driver(url)(url), plugins)
    try:
        destination.open()
    except BaseException:
        destination.close()
        raise
    return destination
