"""What `eds doctor` looks at on MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from eds_core.durations import spoken
from eds_core.errors import TableError
from eds_core.findings import Check, Finding, Verdict
from eds_core.sql.diagnosis import ask, missing_privileges, size
from eds_core.sql.session import Session
from eds_core.urls import is_loopback

from .connecting import MOST_BYTES, Place

#: What EDS needs on its database.
NEEDED = (
    *("SELECT", "INSERT", "UPDATE", "DELETE"),
    *("CREATE", "ALTER", "CREATE TEMPORARY TABLES"),
)

_SERVER = (
    "SELECT VERSION(), @@read_only, @@max_allowed_packet, @@local_infile, "
    "@@collation_database, DATABASE(), CURRENT_USER()"
)
_SIZE = (
    "SELECT COALESCE(SUM(data_length + index_length), 0) "
    "FROM information_schema.tables WHERE table_schema = DATABASE()"
)
_PRIVILEGES = (
    "SELECT grantee, privilege_type FROM information_schema.user_privileges "
    "UNION SELECT grantee, privilege_type FROM information_schema.schema_privileges "
    "WHERE DATABASE() LIKE table_schema"
)
_ROLES = "SELECT role_name FROM information_schema.enabled_roles"
_LOCKS = (
    "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()), "
    "trx_rows_locked FROM information_schema.innodb_trx "
    "WHERE trx_mysql_thread_id <> CONNECTION_ID() AND trx_rows_locked > 0 "
    "AND TIMESTAMPDIFF(SECOND, trx_started, NOW()) >= 5 ORDER BY 2 DESC"
)


def checks(
    session: Session, place: Place, makes: Callable[[], bool], *, alters: bool
) -> Mapping[str, Check]:
    """What to look at over *session*, which leads to *place*.

    *makes*, *alters*: whether the user has to make tables, and to alter them.
    """
    return {
        "server": partial(_server, session, place),
        "encryption": partial(_encryption, session, place),
        "privileges": partial(_privileges, session, makes, alters=alters),
        "locks": partial(_locks, session),
    }


def _server(session: Session, place: Place) -> Iterator[Finding]:
    ((version, read_only, most, loads, collation, *_),) = ask(session, _SERVER)
    ((used,),) = ask(session, _SIZE)
    kind = "" if "maria" in version.lower() else "MySQL "
    told = f"{kind}{version}; sessions of EDS are in UTC and strict"
    yield Finding("version", told)
    told = f"the database takes {size(int(used))}; how full its disk is, SQL cannot "
    yield Finding("disk", f"{told}tell")
    told = f"{collation} by default; EDS's own tables are utf8mb4 and compare by bytes"
    yield Finding("collation", told)
    if str(read_only) not in ("0", "OFF"):
        yield Finding(
            "server",
            "it is read-only: a replica, or one that is being maintained",
            Verdict.WRONG,
            why="nothing can be written there",
            advice="let the URL name the primary; or, if this is it, run",
            paste="SET GLOBAL read_only = OFF",
        )
    if int(most) < MOST_BYTES:
        yield Finding(
            "packets",
            f"max_allowed_packet is {size(int(most))}",
            Verdict.NOTE,
            why="batches are cut smaller; a row that is larger goes into quarantine",
            advice="as an administrator run, and write it into my.cnf",
            paste=f"SET GLOBAL max_allowed_packet = {MOST_BYTES}",
        )
    yield _local_infile(wanted=place.local_infile, allowed=bool(loads))


def _local_infile(*, wanted: bool, allowed: bool) -> Finding:
    if wanted and not allowed:
        return Finding(
            "local_infile",
            "the URL asks for it, and the server has it off",
            Verdict.NOTE,
            why="an import goes by INSERT, which is slower and not wrong",
            advice="as an administrator run, and write it into my.cnf",
            paste="SET GLOBAL local_infile = ON",
        )
    told = "used for imports" if wanted else "not asked for: imports go by INSERT"
    return Finding("local_infile", told)


def _encryption(session: Session, place: Place) -> Iterator[Finding]:
    ((_, cipher),) = ask(session, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    if cipher:
        yield Finding("encryption", f"the connection is encrypted by TLS ({cipher})")
    elif place.unix_socket or is_loopback(place.host):
        yield Finding("encryption", "none, and the connection stays on this machine")
    else:
        yield Finding(
            "encryption",
            "rows cross the network in the clear",
            Verdict.WRONG,
            why="whoever is on the way can read all of the shop's data",
            advice="write ssl_mode=VERIFY_IDENTITY and ssl_ca= into the URL",
        )


def _privileges(
    session: Session, makes: Callable[[], bool], *, alters: bool
) -> Iterator[Finding]:
    ((*_, database, user),) = ask(session, _SERVER)
    name, _, host = user.rpartition("@")
    grantee = f"'{name}'@'{host}'"
    granted = ask(session, _PRIVILEGES)
    has = {privilege for whose, privilege in granted if whose == grantee}
    has |= set() if alters else {"ALTER"}
    has |= set() if makes() else {"CREATE"}
    lacking = [name for name in NEEDED if name not in has]
    roles = [role for (role,) in ask(session, _ROLES) if role]
    if lacking and roles:
        yield Finding(
            "privileges",
            f"{', '.join(lacking)}: not granted to {user} itself; the role "
            f"{', '.join(roles)} may have them",
            Verdict.NOTE,
            why="the server does not tell everybody what a role may do",
            advice="see that they are among",
            paste="SHOW GRANTS",
        )
        return
    yield missing_privileges(
        [f"{', '.join(lacking)} on database {database}"] if lacking else [],
        f"GRANT {', '.join(lacking)} ON {session.quote(database)}.* TO {grantee}",
    )


def _locks(session: Session) -> Iterator[Finding]:
    try:
        found = ask(session, _LOCKS)
    except TableError:
        yield Finding(
            "locks",
            "who holds rows is told to administrators only",
            why="where EDS waits for a lock, its log says so",
            advice="ask as an administrator: SELECT * FROM "
            "information_schema.innodb_trx",
        )
        return
    for thread, seconds, rows in found:
        yield Finding(
            "locks",
            f"thread {thread} holds {rows} rows since {spoken(float(seconds))}",
            Verdict.WRONG,
            why="EDS waits for a lock for 10 s, then tries the same batch again",
            advice="let that session end its transaction, or end the session",
            paste=f"KILL {thread}",
        )
    if not found:
        yield Finding("locks", "nobody holds rows for long")
