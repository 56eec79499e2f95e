"""What `eds doctor` looks at on SQL Server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from eds_core.findings import Check, Finding, Verdict
from eds_core.sql.diagnosis import ask, missing_privileges, size
from eds_core.sql.session import Session

from .address import Address

_NEEDED = ("ALTER", "SELECT", "INSERT", "UPDATE", "DELETE")
_EXPRESS = 4  # the engine's edition, whose databases may have 10 GB
_EXPRESS_MOST = 10 << 30

_SERVER = """
SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')),
       CONVERT(int, SERVERPROPERTY('EngineEdition')),
       CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')),
       CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), 'Collation')),
       CONVERT(int, d.compatibility_level)
FROM sys.databases d WHERE d.database_id = DB_ID()
"""
_SIZE = """
SELECT CONVERT(bigint, SUM(CONVERT(bigint, size)) * 8192)
FROM sys.database_files WHERE type = 0
"""
_PRIVILEGES = f"""
SELECT CONVERT(nvarchar(128), USER_NAME()),
       HAS_PERMS_BY_NAME(NULL, 'DATABASE', 'CREATE TABLE'),
       {", ".join(f"HAS_PERMS_BY_NAME(?, 'SCHEMA', '{name}')" for name in _NEEDED)}
"""


def checks(
    session: Session, address: Address, makes: Callable[[], bool]
) -> Mapping[str, Check]:
    """What to look at over *session*, which leads to *address*.

    *makes*: whether the user has to make tables, for which it also takes ALTER.
    """
    return {
        "server": partial(_server, session),
        "disk": partial(_disk, session),
        "encryption": partial(_encryption, address),
        "privileges": partial(_privileges, session, makes),
    }


def _server(session: Session) -> Iterator[Finding]:
    ((version, edition, updates, collation, level),) = ask(session, _SERVER)
    told = f"SQL Server {version}, compatibility level {level}; EDS stores UTC"
    yield Finding("version", told)
    told = f"{collation} by default; keys of EDS's tables compare by bytes"
    yield Finding("collation", told)
    if updates != "READ_WRITE":
        yield Finding(
            "server",
            "the database is read-only: a secondary, or set so",
            Verdict.WRONG,
            why="nothing can be written there",
            advice="let the URL name the primary; or, if this is it, run",
            paste="ALTER DATABASE CURRENT SET READ_WRITE",
        )
    if edition == _EXPRESS:
        yield from _express(session)


def _express(session: Session) -> Iterator[Finding]:
    ((used,),) = ask(session, _SIZE)
    yield Finding(
        "edition",
        f"Express: {size(used)} of the {size(_EXPRESS_MOST)} that a database may have",
        Verdict.NOTE if used > _EXPRESS_MOST / 2 else Verdict.OK,
        why="a database that is full stops everything; EDS waits, and loses nothing "
        "for 7 days",
    )


def _disk(session: Session) -> Iterator[Finding]:
    ((used,),) = ask(session, _SIZE)
    told = f"the database's files take {size(used)}"
    yield Finding("disk", f"{told}; how full the disk is, only administrators are told")


def _encryption(address: Address) -> Iterator[Finding]:
    if address.encrypt == "no":
        yield Finding("encryption", "none, and the connection stays on this machine")
    elif address.trusts and not address.is_loopback:
        yield Finding(
            "encryption",
            "the connection is encrypted, and nobody checks who answers",
            Verdict.NOTE,
            why="over a network that is not yours, somebody else might",
            advice="give the server a certificate that this machine trusts, and take "
            "trust_server_certificate=yes out of the URL",
        )
    else:
        yield Finding("encryption", "the connection is encrypted by TLS")


def _privileges(session: Session, makes: Callable[[], bool]) -> Iterator[Finding]:
    schema = session.quote(session.schema or "")
    ((user, creates, *may),) = ask(session, _PRIVILEGES, *[schema] * len(_NEEDED))
    whom, unneeded = session.quote(user), () if makes() else ("ALTER",)
    creates = creates or bool(unneeded)
    lacking = [
        name
        for name, has in zip(_NEEDED, may, strict=True)
        if not has and name not in unneeded
    ]
    statements = []
    if not creates:
        statements.append(f"GRANT CREATE TABLE TO {whom}")
    if lacking:
        statements.append(f"GRANT {', '.join(lacking)} ON SCHEMA::{schema} TO {whom}")
    names = [*([] if creates else ["CREATE TABLE"]), *lacking]
    yield missing_privileges(names, "; ".join(statements))
