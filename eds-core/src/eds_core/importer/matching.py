"""Which table rows are of, told by their columns. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from eds_core.errors import ConfigError
from eds_core.schema import TableSchema

_ENOUGH = 0.6  # how alike the columns of a row and of its table are, at least
_APART = 0.05  # how much less alike the next table is
_NAMED = 4  # candidates in a message

Names = tuple[str, ...]  # the columns of a line, as they stand in it


def likeness(names: Collection[str], table: TableSchema) -> float:
    """Between 0 and 1; 0 when a row with the columns *names* has no key."""
    there = set(names)
    if not there.issuperset(table.key):
        return 0.0
    model = table.types.keys()
    return 2 * len(there & model) / (len(there) + len(model))


def best(names: Collection[str], tables: Iterable[TableSchema]) -> list[str]:
    """The table that *names* are of; several when that is not clear; none."""
    scores = {table.name: likeness(names, table) for table in tables}
    top = max(scores.values(), default=0.0)
    if top < _ENOUGH:
        return []
    near = [name for name, score in scores.items() if score > top - _APART]
    return sorted(near, key=lambda name: -scores[name])


def match(
    seen: Collection[Names], tables: Mapping[str, TableSchema], name: str
) -> dict[Names, str]:
    """The table of each set of columns *seen* in the file *name*.

    Empty when the file is of no table that is known. What alone says nothing goes
    with the rest of the file. Raises ConfigError when it may be of several.
    """
    alone = {names: best(names, tables.values()) for names in seen}
    clear = {names: found[0] for names, found in alone.items() if len(found) == 1}
    if len(set(clear.values())) > 1:
        first = next(iter(clear.values()))
        return {names: clear.get(names, first) for names in seen}
    together = best({n for names in seen for n in names}, tables.values())
    candidates = sorted(set(clear.values())) or together
    if len(candidates) > 1:
        listed = ", ".join(candidates[:_NAMED])
        raise ConfigError(
            f"{name} may hold any of the tables {listed}",
            advice=f"say which: --table {candidates[0]}",
        )
    return dict.fromkeys(seen, candidates[0]) if candidates else {}
