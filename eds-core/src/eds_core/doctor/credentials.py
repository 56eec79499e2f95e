"""Who we are, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from eds_core.credentials import Credentials
from eds_core.durations import spoken
from eds_core.findings import Finding, Verdict

_ABOUT = "credentials"


def look(credentials: Credentials, now: datetime) -> Iterator[Finding]:
    """What the file says, and what to mend in it."""
    companies = ", ".join(credentials.companies)
    until = "do not expire"
    if (end := credentials.expires) is not None:
        left = spoken((end - now).total_seconds())
        until = f"expire at {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC, in {left}"
    yield Finding(
        _ABOUT,
        f"{credentials.path} of {credentials.name or 'no name'}: company {companies}; "
        f"account {credentials.account}; they {until}",
    )
    for warning in credentials.warnings(now):
        told, _, advice = warning.rpartition(": ")
        yield Finding(
            _ABOUT,
            told,
            Verdict.NOTE,
            why="whoever has the file can read all of the shop's data, as long as it "
            "is valid",
            advice=advice,
        )
