"""What plugins do to rows, before disk or log see any of them.

A row that cannot be transformed is never kept as it came: what goes on instead holds
the reason, and not the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import pluggy

from .decode import encode
from .driver import PROJECT
from .errors import ConfigError, DecodeError
from .event import ChangeEvent, Message
from .line import Change, is_line, parse_line
from .plugins import Columns, Transform, Transformer
from .schema import ColumnType, TableSchema

_MOST_SCHEMAS = 4096
_ADVICE = "mend its cause, then import the table again"
_ENCODING = "content-encoding"

Part = tuple[str, Transform]  # who does it, and what
Hooks = Sequence[pluggy.HookImpl]  # one plugin's implementation each


def not_kept(error: DecodeError) -> DecodeError:
    """Why something is in quarantine without its content."""
    return DecodeError(
        f"{error}; its content is not kept, as it could not be transformed",
        advice=_ADVICE,
    )


class TableTransform:
    """What all plugins together do to the rows of one table."""

    def __init__(self, came: TableSchema, parts: Sequence[Part]) -> None:
        self._came = came
        self._parts = parts
        #: The table as it is written.
        self.table = parts[-1][1].table if parts else came
        #: Changes with what is done, as far as the plugins tell.
        self.name = "\0".join(transform.name for _, transform in parts)

    @property
    def change(self) -> Change | None:
        """Changes a row; None when there is nothing to be done.

        Raises DecodeError, which tells nothing of the row's values.
        """
        return self._change if self._parts else None

    def _change(self, row: Columns) -> Columns | None:
        key = [row.get(name) for name in self._came.key]
        for plugin, transform in self._parts:
            changed = _called(plugin, transform.row, row)
            if changed is None:
                return None
            row = changed
        if key != [row.get(name) for name in self._came.key]:
            raise DecodeError("a transform has changed the row's key")
        return row

    def event(self, event: ChangeEvent) -> ChangeEvent | None:
        """*event* with its row changed, and a message that holds no more than that."""
        if not self._parts:
            return event
        if event.deletes:
            return with_row(event, b"")
        row = self._change({**parse_line(bytes(event.after))})
        return None if row is None else with_row(event, msgspec.json.encode(row))


def with_row(event: ChangeEvent, after: bytes) -> ChangeEvent:
    """*event* as if it had come with the row *after*, or with none."""
    message = event.message
    data = after if is_line(message) else encode(event, after)
    message = with_data(message, data)
    return msgspec.structs.replace(event, after=after, message=message)


def with_data(message: Message, data: bytes) -> Message:
    """*message* as if it had come with *data*, unpacked JSON."""
    headers = {k: v for k, v in message.headers.items() if k.lower() != _ENCODING}
    return Message(message.subject, data, message.sequence, message.time, headers)


def _called(
    plugin: str, row: Callable[[Columns], Columns | None], columns: Columns
) -> Columns | None:
    try:
        changed = row(columns)
        is_row = changed is None or all(map(_is_token, changed.values()))
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and quote the row
        raise DecodeError(
            f"the transform of plugin {plugin} fails: {type(error).__name__}"
        ) from None
    if not is_row:
        raise DecodeError(f"the transform of plugin {plugin} returns no msgspec.Raw")
    return changed


def _is_token(value: object) -> bool:
    return isinstance(value, msgspec.Raw)


class Transforms:
    """The transforms of all plugins, in the plugins' order."""

    def __init__(self, drops: Hooks, transforms: Hooks) -> None:
        self._transforms = transforms
        self._known: dict[int, tuple[TableSchema, TableTransform]] = {}
        #: Whether nothing of a table is wanted, by its name. Raises ConfigError.
        self.drops = lru_cache(_MOST_SCHEMAS)(
            lambda table: any(_ask(hook, table=table) for hook in drops)
        )

    @property
    def changes(self) -> bool:
        """Whether rows may be changed, of whatever table."""
        return bool(self._transforms)

    def of(self, table: TableSchema) -> TableTransform:
        """What is done to rows of *table*.

        Raises ConfigError when a plugin cannot say, or would change the key.
        """
        known = self._known.get(id(table))  # its hash is that of all columns
        if known is None:
            if len(self._known) >= _MOST_SCHEMAS:
                self._known.clear()
            known = self._known[id(table)] = table, self._make(table)
        return known[1]

    def _make(self, table: TableSchema) -> TableTransform:
        parts: list[Part] = []
        now = table
        for hook in self._transforms:
            transform: Transform | None = _ask(hook, table=now)
            if transform is not None:
                plugin = _plugin_of(hook)
                _check_key(plugin, now, transform.table)
                parts.append((plugin, transform))
                now = transform.table
        return TableTransform(table, parts)


def _ask(hook: pluggy.HookImpl, **arguments: object) -> Any:
    """What a plugin answers. One that cannot say stops EDS: nothing may leak."""
    try:
        return hook.function(*(arguments[name] for name in hook.argnames))
    except ConfigError:
        raise
    except Exception as error:
        table = arguments["table"]
        raise ConfigError(
            f"plugin {_plugin_of(hook)} fails at table "
            f"{getattr(table, 'name', table)}: {type(error).__name__}",
            advice="mend the plugin, or uninstall its distribution",
        ) from error


def _plugin_of(hook: pluggy.HookImpl) -> str:
    """Its name, for people: a module's, or its class's."""
    return str(getattr(hook.plugin, "__name__", type(hook.plugin).__name__))


def _check_key(plugin: str, came: TableSchema, table: TableSchema) -> None:
    if (table.name, _key_types(table)) != (came.name, _key_types(came)):
        raise ConfigError(
            f"plugin {plugin} changes the name or the key of table {came.name}",
            advice="EDS knows a row by its key: let it leave these columns alone",
        )


def _key_types(table: TableSchema) -> Mapping[str, ColumnType]:
    return {name: table.types[name] for name in table.key}


def find_transforms(plugins: Iterable[object]) -> Transforms | None:
    """The transforms that *plugins* have; None when there are none."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Transformer)
    for plugin in plugins:
        manager.register(plugin)
    # pluggy has them last come, first called
    drops = manager.hook.drops_table.get_hookimpls()
    transforms = manager.hook.transform.get_hookimpls()
    return Transforms(drops, transforms) if drops or transforms else None
