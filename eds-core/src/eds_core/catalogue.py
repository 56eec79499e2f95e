"""The tables of the upstream service, by group; names that are nearly right. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import resources


def table_groups() -> Mapping[str, Sequence[str]]:
    """Return the names of the tables by group, in the guide's order."""
    text = resources.files(__package__).joinpath("catalogue.txt").read_text("utf-8")
    groups: dict[str, list[str]] = {}
    members: list[str] = []
    for line in text.splitlines():
        if line.startswith(" "):
            members.append(line.strip())
        elif line and not line.startswith("#"):
            members = groups.setdefault(line, [])
    return groups


def all_tables() -> Sequence[str]:
    """Return the names of all tables, in the guide's order."""
    return [table for members in table_groups().values() for table in members]


def near_matches(name: str, tables: Iterable[str], most: int = 3) -> Sequence[str]:
    """Return up to *most* tables that *name* may stand for, the nearest first.

    Case, hyphens, blanks and a plural are forgiven: ``Purchase Orders``.
    """
    known = list(tables)
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    exact = [table for table in known if plain in (table, f"{table}s", f"{table}es")]
    near = get_close_matches(plain, known, n=most, cutoff=0.6)
    part = [table for table in known if plain and plain in table]
    return list(dict.fromkeys([*exact, *near, *part]))[:most]
