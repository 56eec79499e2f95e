"""What `eds doctor` looks at on CockroachDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from eds_core.findings import Check, Finding
from eds_core.sql.diagnosis import ask
from eds_core.sql.session import Session
from eds_driver_postgres.diagnosis import encryption, privileges


def checks(session: Session) -> Mapping[str, Check]:
    """What to look at over *session*, in its schema."""
    return {
        "version": partial(_version, session),
        "encryption": partial(encryption, session),
        "privileges": partial(privileges, session),
    }


def _version(session: Session) -> Iterator[Finding]:
    ((version,),) = ask(session, "SELECT version()")
    told = " ".join(str(version).split()[:3])
    yield Finding("version", f"{told}; sessions of EDS are in UTC")
