"""What `eds doctor` looks at on CockroachDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from eds_core.findings import Check, Finding
from eds_core.sql.diagnosis import ask
from eds_core.sql.session import Session
from eds_driver_postgres.diagnosis import encryption, privileges


def checks(session: Session, tables: Sequence[str]) -> Mapping[str, Check]:
    """What to look at over *session*, in its schema; *tables*: those of EDS."""
    return {
        "version": partial(_version, session),
        "encryption": partial(encryption, session),
        "privileges": partial(privileges, session, tables),
    }


def _version(session: Session) -> Iterator[Finding]:
    ((version,),) = ask(session, "SELECT version()")
    told = " ".join(str(version).split()[:3])
    yield Finding("version", f"{told}; sessions of EDS are in UTC")
