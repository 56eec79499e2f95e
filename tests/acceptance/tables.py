"""Read a destination back, exactly, and compare it with the oracle. No EDS code."""

import base64
import json
import sqlite3
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql
import snowflake.connector
from psycopg.types.json import set_json_loads

MYSQLS = ("mysql", "mariadb")
exactly = partial(json.loads, parse_float=Decimal)


def rows(url, query, *parameters):
    """The rows of a *query* as dicts; of every database alike."""
    with closing(connect(url)) as connection:
        return fetched(connection, query, parameters)


def fetched(connection, query, parameters=()):
    cursor = connection.cursor()
    cursor.execute(query, *([parameters] if parameters else []))  # else % is PyMySQL's
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def value(url, query, *parameters):
    """The one value that *query* asks for."""
    ((found,),) = [row.values() for row in rows(url, query, *parameters)]
    return found


def execute(url, *statements):
    """Do what a user does to a database; each statement is committed."""
    with closing(connect(url)) as connection:
        for statement in statements:
            connection.cursor().execute(statement)


def connect(url):
    if url.startswith("sqlite:///"):
        return sqlite3.connect(
            f"file:{url.removeprefix('sqlite:///')}?mode=rw",
            uri=True,
            timeout=10,
            isolation_level=None,
        )
    if url.startswith(MYSQLS):
        return connect_mysql(urlsplit(url))
    if url.startswith("snowflake://"):
        return _snowflake(url)
    connection = psycopg.connect(url, connect_timeout=5, autocommit=True)
    connection.prepare_threshold = None  # columns come while it is kept
    set_json_loads(exactly, connection)
    return connection


def connect_mysql(url):
    return pymysql.connect(
        host=url.hostname,
        port=url.port,
        user=url.username,
        password=unquote(url.password),
        database=url.path.removeprefix("/"),
        autocommit=True,
        # A context for TLS takes longer than all else; MySQL's login needs it.
        ssl_disabled=url.scheme == "mariadb",
        sql_mode="ANSI",
        init_command="SET time_zone = '+00:00'",
    )


def _snowflake(url):
    """An emulated account: its port is in the URL."""
    parts = urlsplit(url)
    _, database, schema = parts.path.split("/")
    return snowflake.connector.connect(
        account="emulated",
        user=parts.username,
        password=unquote(parts.password),
        host=parts.hostname,
        port=parts.port,
        protocol="http",
        database=database,
        schema=schema,
        paramstyle="qmark",
        enable_server_session_keep_alive_auto_detection=False,
    )


def table_names(url):
    """All tables that are there, EDS's own included."""
    try:
        with closing(connect(url)) as connection:
            return names_of_tables(connection)
    except sqlite3.OperationalError:  # no file yet
        return set()


def names_of_tables(connection):
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = "
    if isinstance(connection, sqlite3.Connection):
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    elif isinstance(connection, pymysql.Connection):
        query += "DATABASE()"
    else:
        query += "current_schema()"
    return {name for row in fetched(connection, query) for name in row.values()}


def quoted(name):
    return '"{}"'.format(name.replace('"', '""'))


def differences(url, expected, models, there=None):
    """What *url* has otherwise than *expected*, in words; empty when equal.

    *there* is a connection to it, if there is one.
    """
    opened = nullcontext(there) if there else closing(connect(url))
    with opened as connection:
        present, reader = names_of_tables(connection), _Reader(url)
        held = {
            table: fetched(connection, f"SELECT * FROM {quoted(table)}")
            for table in present & set(expected)
        }
    found = [
        problem
        for table in sorted(expected)
        for problem in _compare(
            models[table], expected[table], held.get(table, []), reader
        )
    ]
    return found + [
        f"table {table} should not be there"
        for table in sorted(present - set(expected))
        if not table.startswith("_eds_")
    ]


def _compare(model, expected, there, reader):
    by_key = {tuple(str(row[name]) for name in model.keys): row for row in there}
    if len(by_key) != len(there):
        yield f"{model.table}: {len(there)} rows of {len(by_key)} keys"
    for key in sorted(expected.keys() - by_key.keys()):
        yield f"{model.table} {key}: missing"
    for key in sorted(by_key.keys() - expected.keys()):
        yield f"{model.table} {key}: should not be there"
    for name in [*there[0]] if there else ():
        if not model.has(name) and not name.startswith("_eds_"):
            yield f"{model.table}.{name}: a column that the model lacks"
    for key in sorted(expected.keys() & by_key.keys()):
        for column in model.columns:
            wanted = expected[key].get(column.name)
            if problem := reader.differs(column, wanted, by_key[key].get(column.name)):
                yield f"{model.table} {key} {column.name}: {problem}"


class _Reader:
    """Values as they compare: exact, whatever a database calls them."""

    def __init__(self, url):
        self._json_is_text = url.startswith(("sqlite", "snowflake", *MYSQLS))
        self._rounds = url.startswith(("postgres", *MYSQLS))  # to microseconds
        self._cuts = url.startswith("snowflake")  # fakesnow does, Snowflake does not

    def differs(self, column, wanted, found):
        if wanted is None or found is None:
            return None if wanted is found else f"{found!r}, not {wanted!r}"
        kind = "Json" if column.list else "String" if column.enum else column.type
        read = getattr(self, f"_{kind.lower()}")
        try:
            if kind == "Json" and self._json_is_text:
                found = exactly(found)
            same = read(found) == read(wanted)
        except (ValueError, TypeError, ArithmeticError) as error:
            return f"{found!r}: {error}"
        return None if same else f"{found!r}, not {wanted!r}"

    @staticmethod
    def _string(found):
        return found if isinstance(found, str) else json.dumps(found, default=str)

    @staticmethod
    def _int(found):
        if isinstance(found, int) and not isinstance(found, bool):
            return found
        if isinstance(found, Decimal) and found == int(found):
            return int(found)
        raise TypeError("not a whole number")

    _bigint = _int

    @staticmethod
    def _float(found):
        if isinstance(found, int | float | Decimal) and not isinstance(found, bool):
            return float(found)
        raise TypeError("not a number")

    _double = _float

    @staticmethod
    def _decimal(found):
        if isinstance(found, float):
            raise TypeError("a decimal went through a float")
        return Decimal(found)

    @staticmethod
    def _boolean(found):
        if found in (0, 1):
            return bool(found)
        raise TypeError("not a boolean")

    def _datetime(self, found):
        """Nanoseconds since 1970, as exactly as the database can."""
        if isinstance(found, datetime):
            aware = found if found.tzinfo else found.replace(tzinfo=UTC)
            seconds, micros = divmod(_microseconds(aware), 10**6)
            return seconds * 10**9 + micros * 1000
        whole, _, fraction = found.removesuffix("Z").replace(" ", "T").partition(".")
        seconds = _microseconds(datetime.fromisoformat(f"{whole}+00:00")) // 10**6
        if self._rounds:
            return seconds * 10**9 + round(float(f"0.{fraction or 0}") * 10**6) * 1000
        if self._cuts:
            return seconds * 10**9 + int(f"{fraction:0<6}"[:6]) * 1000
        return seconds * 10**9 + int(f"{fraction:0<9}")

    @staticmethod
    def _json(found):
        return _tagged(found)

    @staticmethod
    def _bytes(found):
        return base64.b64decode(found) if isinstance(found, str) else bytes(found)


def _microseconds(moment):
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _tagged(found):
    """JSON in which true is not 1, and 1.0 is 1."""
    if isinstance(found, dict):
        return {name: _tagged(item) for name, item in found.items()}
    if isinstance(found, list):
        return [_tagged(item) for item in found]
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal):
        return type(found).__name__, found
    return "number", Decimal(found)
