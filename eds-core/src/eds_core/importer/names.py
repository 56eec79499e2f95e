"""What a file's name says: the table, and when its rows were read. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from eds_core.errors import ConfigError
from eds_core.event import Version
from eds_core.line import nanoseconds

#: Beside a file: when its export was asked for.
SIDECAR = ".snapshot"

_CHANGEFEED = re.compile(
    r"(\d{14})(\d{9})(\d{10})-\w+-[\w-]+-([a-z0-9_]+)-\w+\.ndjson(?:\.gz)?"
)
_PLAIN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?: ?\(\d+\))?(?:\..*)?")
_ENDINGS = frozenset((".json", ".jsonl", ".ndjson", ".gz"))


class Told(NamedTuple):
    """What a name says."""

    table: str = ""
    snapshot: Version | None = None
    is_export: bool = False  # its endings are those of JSON lines


def read_name(name: str) -> Told:
    """Read the base name of *name*; a table's name has yet to be looked up."""
    path = PurePosixPath(name.replace("\\", "/"))
    if match := _CHANGEFEED.fullmatch(path.name):
        moment, rest, logical, table = match.groups()
        return Told(table, _version(moment, rest, logical, path.name), is_export=True)
    match = _PLAIN.fullmatch(path.name)
    endings = [ending.lower() for ending in path.suffixes]
    is_export = bool(endings) and _ENDINGS.issuperset(endings) and endings != [".gz"]
    return Told(match[1] if match else "", is_export=is_export)


def _version(moment: str, rest: str, logical: str, name: str) -> Version:
    try:
        seconds = datetime.strptime(moment, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"{name}: {moment} is no date and time") from error
    return Version(int(seconds.timestamp()) * 10**9 + int(rest), int(logical))


def read_moment(text: str, where: str) -> Version:
    """A snapshot's time: ISO 8601, or as HTTP has dates. Raises ConfigError."""
    text = text.strip()
    try:
        return Version(nanoseconds(text))
    except ValueError:
        pass
    try:
        return Version(nanoseconds(parsedate_to_datetime(text).isoformat()))
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{where}: {text[:60]!r} is no date and time",
            advice="write it as 2025-01-31T12:00:00Z",
        ) from error
