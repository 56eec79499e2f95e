"""Moments: nanoseconds since 1970, as NATS counts them, and text. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000


def as_text(nanoseconds: int) -> str:
    """ISO 8601 in UTC, with every digit."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    moment = _BEGINNING + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def as_nanoseconds(text: str | None) -> int:
    """The reverse of ``as_text``; what is no such text is the beginning of time."""
    whole, _, rest = (text or "").rstrip("Z").partition(".")
    try:
        seconds = datetime.fromisoformat(f"{whole}+00:00") - _BEGINNING
        return int(seconds.total_seconds()) * _SECOND + int(f"{rest:0<9}"[:9])
    except ValueError:
        return 0
