"""Durations as people write them: ``1h45m``, ``90s``. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from .errors import ConfigError

_MOST_FRESHNESS = timedelta(hours=1)
_UNITS = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")


def parse_duration(text: str) -> timedelta:
    """Read numbers with their units; raises ValueError for anything else."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 1h45m or 90s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError(f"{text!r} is longer than any duration") from error


def parse_freshness(text: str | None, default: float) -> float:
    """Return the seconds that a URL's parameter ``freshness`` says, or *default*.

    Raises ConfigError.
    """
    if text is None:
        return default
    try:
        found = timedelta(0) if text == "0" else parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"freshness: {error}", advice="e.g. freshness=10m") from error
    if found > _MOST_FRESHNESS:
        raise ConfigError(
            f"freshness: {text} is longer than an hour",
            advice="the stream is read for at most an hour before it is written",
        )
    return found.total_seconds()


_SPOKEN = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def spoken(seconds: float | None) -> str:
    """A duration for people, in its two largest units: ``3 h 12 min``."""
    if seconds is None:
        return "an unknown time"
    if abs(seconds) < 1:
        return f"{seconds:.1f} s"
    rest = int(abs(seconds))
    parts: list[str] = []
    for size, unit in _SPOKEN:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return ("-" if seconds < 0 else "") + " ".join(parts[:2])
