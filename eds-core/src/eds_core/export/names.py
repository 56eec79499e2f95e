"""What a downloaded file is called, so that an import knows its table. Pure."""

from __future__ import annotations

import re
from collections.abc import Container
from urllib.parse import unquote, urlsplit

#: The base name that a changefeed gives: when, which part, table, schema.
CHANGEFEED = re.compile(r"\d{33}-\w+-[\w-]+-([a-z0-9_]+)-\w+\.ndjson\.gz")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_TELLING = (".gz", ".zip", ".tar", ".tgz", ".json", ".jsonl", ".ndjson")
_SUFFIXES = {"gzip": ".json.gz", "zip": ".zip", "tar": ".tar", "json": ".json"}
_LONGEST = 200  # with what is added to it, a name is below 255 bytes


def local_name(remote: str, table: str | None, taken: Container[str] = ()) -> str:
    """Return the name here for the file *remote* (a path) there.

    *table* is named in front when the file is known to be its and does not say so.
    The name is free of folders, hidden files and what is in *taken*.
    """
    base = _UNSAFE.sub("_", remote.rpartition("/")[2]).lstrip("._-")[-_LONGEST:]
    base = base or "export"
    name = base if table is None or table == told_table(base) else f"{table}.{base}"
    number = 1
    while name in taken:
        number += 1
        name = f"{table or told_table(base)}.{number}.{base}"
    return name


def told_table(base: str) -> str:
    """The table that a base name tells, if it tells one."""
    match = CHANGEFEED.fullmatch(base)
    return match[1] if match else base.partition(".")[0]


def with_suffix(name: str, kind: str) -> str:
    """Return *name*; if its end tells no kind of file, with that of its *kind*."""
    telling = name.lower().endswith(_TELLING)
    return name if telling else name + _SUFFIXES.get(kind, "")


def remote_path(url: str) -> str:
    """Return the decoded path of *url*."""
    return unquote(urlsplit(url).path)
