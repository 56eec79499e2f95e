"""Which tables and columns reach the destination, as the user has said.

Both are transformers (see ``plugins``), so they work wherever rows come from.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from .catalogue import all_tables, near_matches
from .driver import hookimpl
from .errors import ConfigError, EdsError
from .hashing import Hasher
from .plugins import Columns, Transform
from .schema import Column, ColumnType, TableSchema

log = logging.getLogger("eds.policy")

#: The latest schema of a table; None: there is no such table.
Ask = Callable[[str], Awaitable[TableSchema | None]]

_PATTERN = re.compile(r"[A-Za-z0-9_*?]+")
_COMPANY = "companyId"  # EDS tells by it whose rows it may import and prune
_NULL = msgspec.Raw(b"null")
_REDACTED = msgspec.Raw(b'"[redacted]"')
_MOST_NAMES = 4096  # of columns; rows may come with any
_AT_ONCE = 8
_PATIENCE = 5.0  # seconds for all questions together


class Action(StrEnum):
    """What is done to a column; of several the first."""

    EXCLUDE = "exclude"
    REDACT = "redact"
    HASH = "hash"


def matches(name: str, pattern: str) -> bool:
    """Whether *pattern* (``*``, ``?``) is *name*, but for upper and lower case."""
    return fnmatchcase(name.lower(), pattern.lower())


def _is_exact(pattern: str) -> bool:
    return not {"*", "?"} & {*pattern}


@dataclass(frozen=True, slots=True)
class Rule:
    """One action for the columns that two patterns name."""

    action: Action
    table: str
    column: str

    def __str__(self) -> str:
        return f"--{self.action}-column {self.table}.{self.column}"


def parse_rule(action: Action, text: str) -> Rule:
    """Read ``table.column``. Raises ValueError."""
    table, dot, column = text.partition(".")
    if not dot:
        raise ValueError(f"{text!r} is not TABLE.COLUMN, as customer.email or *.email")
    return Rule(action, checked(table, text), checked(column, text))


def checked(pattern: str, text: str = "") -> str:
    """*pattern*, if it can name something; else ValueError, which tells of *text*."""
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(
            f"{text or pattern!r}: names have letters, digits, _, and * or ?"
        )
    return pattern


class TableFilter:
    """Leaves out tables: all but *only*, if there are any, and *leaves_out*."""

    def __init__(self, only: Sequence[str], leaves_out: Sequence[str]) -> None:
        self._only = only
        self._leaves_out = leaves_out

    @hookimpl
    def drops_table(self, table: str) -> bool:
        if self._only and not _any(table, self._only):
            return True
        return _any(table, self._leaves_out)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(matches(name, pattern) for pattern in patterns)


class ColumnPolicy:
    """Excludes, redacts and hashes columns."""

    def __init__(self, rules: Sequence[Rule], salt: bytes) -> None:
        self._rules = sorted(rules, key=lambda rule: [*Action].index(rule.action))
        self._hasher = Hasher(salt)
        told = "\0".join([*map(str, self._rules), salt.hex()])
        self._name = hashlib.sha256(told.encode()).hexdigest()[:16]

    @hookimpl
    def transform(self, table: TableSchema) -> Transform | None:
        rules = [rule for rule in self._rules if matches(table.name, rule.table)]
        if not rules:
            return None
        stay = frozenset((*table.key, _COMPANY))
        for rule in rules:
            _check_stays(rule, table, stay)
        find = lru_cache(_MOST_NAMES)(lambda name: _action(name, rules, stay))
        columns = tuple(
            Column(column.name, _type(column, find(column.name)))
            for column in table.columns
            if find(column.name) is not Action.EXCLUDE
        )
        kept = TableSchema(
            table.name, table.model_version, columns, table.key, table.inferred
        )
        types = table.types
        return Transform(kept, lambda row: self._row(row, find, types), self._name)

    def _row(
        self,
        row: Columns,
        find: Callable[[str], Action | None],
        types: dict[str, ColumnType],
    ) -> Columns:
        for name in [name for name in row if find(name)]:
            match find(name):
                case Action.EXCLUDE:
                    del row[name]
                case Action.REDACT if row[name] != _NULL:
                    row[name] = _redacted(types.get(name))
                case Action.HASH if row[name] != _NULL:
                    row[name] = self._hasher.hash(row[name])
        return row


def _action(name: str, rules: Iterable[Rule], stay: frozenset[str]) -> Action | None:
    if name in stay:
        return None
    found = (rule.action for rule in rules if matches(name, rule.column))
    return next(found, None)


def _type(column: Column, action: Action | None) -> ColumnType:
    return ColumnType.TEXT if action is Action.HASH else column.type


def _redacted(kind: ColumnType | None) -> msgspec.Raw:
    """What stands for a value; NULL where no value of the type could say so."""
    says = kind in (ColumnType.TEXT, ColumnType.JSON, None)
    return _REDACTED if says else _NULL


def _check_stays(rule: Rule, table: TableSchema, stay: Iterable[str]) -> None:
    """A pattern passes by what has to stay; a name says that it is not meant to."""
    named = [name for name in stay if matches(name, rule.column)]
    if named and _is_exact(rule.column):
        raise ConfigError(
            f"{rule}: the column {named[0]} of {table.name} has to stay as it is",
            advice="EDS knows rows by their key and by companyId; to be without them, "
            f"leave out the table: --except {table.name}",
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the user has said."""

    only: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    salt: bytes = field(default=b"", repr=False)

    def plugins(self) -> list[object]:
        """The transformers that are in force."""
        found: list[object] = []
        if self.only or self.leaves_out:
            found.append(TableFilter(self.only, self.leaves_out))
        if self.rules:
            found.append(ColumnPolicy(self.rules, self.salt))
        return found

    def __str__(self) -> str:
        only = (f"--only {pattern}" for pattern in self.only)
        leaves_out = (f"--except {pattern}" for pattern in self.leaves_out)
        return " ".join((*only, *leaves_out, *map(str, self.rules)))

    async def check(self, ask: Ask | None) -> None:
        """Say what is in force, and warn of names that there are not.

        *ask* is None where nobody knows the columns. Raises ConfigError for a column
        that has to stay.
        """
        log.info("in force: %s", self)
        try:
            async with asyncio.timeout(_PATIENCE):
                await _Check(self, ask).run()
        except TimeoutError:
            log.warning("the names in %s were not checked: nobody answers", self)


class _Check:
    """Compares names with those that there are."""

    def __init__(self, policy: Policy, ask: Ask | None) -> None:
        self._policy = policy
        self._ask_service = ask
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._tables = all_tables()
        self._columns = ColumnPolicy(policy.rules, policy.salt)

    async def run(self) -> None:
        only, leaves_out = self._policy.only, self._policy.leaves_out
        for option, patterns in (("--only", only), ("--except", leaves_out)):
            for pattern in patterns:
                await self._find(f"{option} {pattern}", pattern)
        for rule in self._policy.rules:
            found = await self._find(str(rule), rule.table)
            for table in found:
                self._columns.transform(table)
            if found and not any(_names(table, rule) for table in found):
                _tell_of_column(rule, found)

    async def _find(self, told: str, pattern: str) -> list[TableSchema]:
        """The schemas of the tables that *pattern* names, as far as they are told."""
        names = [table for table in self._tables if matches(table, pattern)]
        if not names and _is_exact(pattern):  # new ones may be in no list
            names = [pattern]
        found = await asyncio.gather(*map(self._ask, names))
        tables = [table for table in found if isinstance(table, TableSchema)]
        if not tables and all(table is None for table in found):
            near = ", ".join(near_matches(pattern, self._tables))
            log.warning("%s: there is no such table%s", told, _near(near))
        return tables

    async def _ask(self, name: str) -> TableSchema | EdsError | None:
        """The table; None: there is none; an error: nobody can tell."""
        known = name in self._tables
        if self._ask_service is None:
            return EdsError("nobody to be asked") if known else None
        async with self._limit:
            try:
                found = await self._ask_service(name)
            except EdsError as error:
                return error
        return EdsError("it is not told now") if found is None and known else found


def _names(table: TableSchema, rule: Rule) -> bool:
    return any(matches(column.name, rule.column) for column in table.columns)


def _tell_of_column(rule: Rule, tables: Sequence[TableSchema]) -> None:
    columns = {column.name for table in tables for column in table.columns}
    by_lower = {name.lower(): name for name in sorted(columns)}
    near = near_matches(rule.column, by_lower)
    log.warning(
        "%s: there is no such column in %s%s",
        rule,
        ", ".join(table.name for table in tables[:3]),
        _near(", ".join(by_lower[name] for name in near)),
    )


def _near(names: str) -> str:
    return f"; there is {names}" if names else ""
