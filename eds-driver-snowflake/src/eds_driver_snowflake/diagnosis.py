"""What `eds doctor` looks at on Snowflake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from eds_core.durations import spoken
from eds_core.errors import DestinationError
from eds_core.findings import Check, Finding, Verdict
from eds_core.sql.diagnosis import ask, missing_privileges
from eds_core.sql.session import Session

from .address import Address

_SESSION = "SELECT CURRENT_VERSION(), CURRENT_ROLE(), CURRENT_WAREHOUSE()"
_PLACE = "SELECT CURRENT_ROLE(), CURRENT_DATABASE(), CURRENT_SCHEMA()"
_NEEDED = ("USAGE", "CREATE TABLE", "CREATE STAGE")
_ALL = {"OWNERSHIP", "ALL PRIVILEGES"}


def checks(
    session: Session, address: Address, makes: Callable[[], bool]
) -> Mapping[str, Check]:
    """What to look at over *session*, which leads to *address*.

    *makes*: whether the role has to make tables.
    """
    return {
        "session": partial(_session, session, address),
        "privileges": partial(_privileges, session, makes),
    }


def _session(session: Session, address: Address) -> Iterator[Finding]:
    ((version, role, warehouse),) = ask(session, _SESSION)
    yield Finding("version", f"Snowflake {version}; sessions of EDS are in UTC")
    yield Finding("warehouse", f"{warehouse}, as role {role}")
    told = "by TLS" if address.protocol == "https" else "none: this is no Snowflake"
    yield Finding("encryption", told)
    if address.freshness:
        told = f"a change may wait {spoken(address.freshness)} for others"
        yield Finding("freshness", told)
        return
    yield Finding(
        "freshness",
        "changes are written at once",
        Verdict.NOTE,
        why="the warehouse never sleeps while the shop works, and is paid for",
        advice="write freshness=10m into the URL if ten minutes are soon enough",
    )


def _privileges(session: Session, makes: Callable[[], bool]) -> Iterator[Finding]:
    ((role, *names),) = ask(session, _PLACE)
    place = ".".join(map(session.quote, names))
    try:
        granted = ask(session, f"SHOW GRANTS ON SCHEMA {place}")
    except DestinationError as error:
        yield Finding(
            "privileges",
            f"the grants on {place} are not told to role {role}: {error}",
            Verdict.NOTE,
            why="the role may inherit what it needs",
            advice="see that its grants are those of the driver's README",
            paste=f"SHOW GRANTS TO ROLE {role}",
        )
        return
    has = {row[1] for row in granted if row[5] == role}
    has |= set() if makes() else {"CREATE TABLE"}
    lacking = [] if has & _ALL else [name for name in _NEEDED if name not in has]
    yield missing_privileges(
        [f"{name} on schema {place}" for name in lacking],
        f"GRANT {', '.join(lacking)} ON SCHEMA {place} TO ROLE {role}",
    )
