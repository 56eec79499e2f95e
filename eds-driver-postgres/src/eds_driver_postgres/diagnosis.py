"""What `eds doctor` looks at on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import psycopg

from eds_core.durations import spoken
from eds_core.findings import Check, Finding, Verdict
from eds_core.sql.diagnosis import ask, missing_privileges, size
from eds_core.sql.session import Session
from eds_core.urls import is_loopback

_OLDEST = 120_000
_FEW = 3  # connections that are left
_TABLE = ("SELECT", "INSERT", "UPDATE", "DELETE")

_SCHEMA = """
SELECT current_user, current_database(), has_schema_privilege(%s, 'USAGE'),
       has_schema_privilege(%s, 'CREATE')
"""
_TABLES = """
SELECT c.relname, pg_has_role(c.relowner, 'USAGE'),
       has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'INSERT'),
       has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p')
  AND c.relname = ANY(%s)
ORDER BY c.relname
"""
_SERVER = """
SELECT current_setting('server_version'),
       current_setting('server_version_num')::int, pg_is_in_recovery(),
       current_setting('server_encoding'), pg_database_size(current_database()),
       current_setting('max_connections')::int
         - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""
_LOCKS = """
SELECT c.relname, l.pid, coalesce(a.usename, '?'), coalesce(a.application_name, ''),
       coalesce(extract(epoch FROM now() - a.xact_start), 0)
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND a.datname = current_database() AND n.nspname = %s
  AND c.relkind IN ('r', 'p') AND coalesce(a.application_name, '') <> 'eds'
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                 'AccessExclusiveLock')
ORDER BY 5 DESC
"""


def checks(
    session: Session, tables: Sequence[str], makes: Callable[[], bool], *, alters: bool
) -> Mapping[str, Check]:
    """What to look at over *session*, in its schema; *tables*: those of EDS.

    *makes*, *alters*: whether the user has to make tables, and to own them.
    """
    return {
        "server": partial(_server, session),
        "encryption": partial(encryption, session),
        "privileges": partial(privileges, session, tables, makes, alters=alters),
        "locks": partial(_locks, session),
    }


def _server(session: Session) -> Iterator[Finding]:
    ((version, number, standby, encoding, used, left),) = ask(session, _SERVER)
    yield Finding("version", f"PostgreSQL {version}; sessions of EDS are in UTC")
    told = f"the database takes {size(used)}; how full its disk is, SQL cannot tell"
    yield Finding("disk", told)
    if number < _OLDEST:
        yield Finding(
            "version",
            f"PostgreSQL {version} is older than 12",
            Verdict.WRONG,
            why="EDS uses what 12 brought",
            advice="upgrade the server",
        )
    if standby:
        yield Finding(
            "server",
            "it is a standby: it can only be read",
            Verdict.WRONG,
            why="nothing can be written there",
            advice="let the URL name the primary, or all hosts with "
            "target_session_attrs=read-write",
        )
    yield _encoding(encoding)
    if left < _FEW:
        yield Finding(
            "connections",
            f"{left} connections are left",
            Verdict.NOTE,
            why="EDS needs one all the time, and an import several",
            advice="raise max_connections, or close some",
        )


def _encoding(encoding: str) -> Finding:
    told = f"the database is in {encoding}"
    if encoding == "UTF8":
        return Finding("encoding", f"{told}; keys are compared byte by byte")
    return Finding(
        "encoding",
        told,
        Verdict.WRONG,
        why="a row with a character that it lacks goes into quarantine",
        advice="make a database for EDS in UTF8",
        paste="CREATE DATABASE shop ENCODING 'UTF8' TEMPLATE template0",
    )


def encryption(session: Session) -> Iterator[Finding]:
    """Say whether the connection is encrypted, as the client sees it."""
    raw = cast(
        "psycopg.Connection[Any]", session.connection.connection.driver_connection
    )
    host = raw.info.host
    if raw.pgconn.ssl_in_use:
        yield Finding("encryption", "the connection is encrypted by TLS")
    elif host.startswith("/") or is_loopback(host):
        yield Finding("encryption", "none, and the connection stays on this machine")
    else:
        yield Finding(
            "encryption",
            "rows cross the network in the clear",
            Verdict.WRONG,
            why="whoever is on the way can read all of the shop's data",
            advice="take sslmode=disable out of the URL; write sslmode=verify-full",
        )


def privileges(
    session: Session, tables: Sequence[str], makes: Callable[[], bool], *, alters: bool
) -> Iterator[Finding]:
    """By the catalogue: what the user may do in the schema, and to each table."""
    schema, quote = session.schema or "", session.quote
    ((user, database, uses, creates),) = ask(session, _SCHEMA, schema, schema)
    may = {"USAGE": uses, "CREATE": creates or not makes()}
    lacking = [name for name, has in may.items() if not has]
    yield missing_privileges(
        [f"{name} on schema {schema} of database {database}" for name in lacking],
        f"GRANT {', '.join(lacking)} ON SCHEMA {quote(schema)} TO {quote(user)}",
    )
    for table, owns, *each in ask(session, _TABLES, schema, list(tables)):
        yield from _table(session, user, table, each, owns=owns or not alters)


def _table(
    session: Session, user: str, table: str, may: list[bool], *, owns: bool
) -> Iterator[Finding]:
    place, whom = session.quote_table(table), session.quote(user)
    lacking = [name for name, has in zip(_TABLE, may, strict=True) if not has]
    if lacking:
        words = ", ".join(lacking)
        paste = f"GRANT {words} ON {place} TO {whom}"
        yield missing_privileges([f"{words} on table {table}"], paste)
    if not owns:
        yield Finding(
            "privileges",
            f"table {table} is another user's",
            Verdict.WRONG,
            why="only the owner may add columns; the table is parked when it has to",
            advice="as its owner or an administrator run",
            paste=f"ALTER TABLE {place} OWNER TO {whom}",
        )


def _locks(session: Session) -> Iterator[Finding]:
    found = ask(session, _LOCKS, session.schema or "")
    for table, pid, user, application, seconds in found:
        whose = f"{user}, {application}" if application else user
        yield Finding(
            "locks",
            f"table {table} is locked since {spoken(float(seconds))} by process {pid} "
            f"({whose})",
            Verdict.WRONG,
            why="EDS waits for it 10 s, then tries the same batch again, and so on",
            advice="let that session end its transaction, or end the session",
            paste=f"SELECT pg_terminate_backend({pid})",
        )
    if not found:
        yield Finding("locks", "nobody holds a table")
