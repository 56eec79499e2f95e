"""What `eds doctor` looks at on CockroachDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from eds_core.findings import Check, Finding
from eds_core.sql.diagnosis import ask
from eds_core.sql.session import Session
from eds_driver_postgres.diagnosis import encryption, privileges


def checks(
    session: Session, tables: Sequence[str], makes: Callable[[], bool], *, alters: bool
) -> Mapping[str, Check]:
    """What to look at over *session*, in its schema; *tables*: those of EDS.

    *makes*, *alters*: whether the user has to make tables, and to own them.
    """
    return {
        "version": partial(_version, session),
        "encryption": partial(encryption, session),
        "privileges": partial(privileges, session, tables, makes, alters=alters),
    }


def _version(session: Session) -> Iterator[Finding]:
    ((version,),) = ask(session, "SELECT version()")
    told = " ".join(str(version).split()[:3])
    yield Finding("version", f"{told}; sessions of EDS are in UTC")
