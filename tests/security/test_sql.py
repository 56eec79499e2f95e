"""SQL hidden in what comes from outside: values, keys, names, a user's own columns."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from eds_core.destination import open_destination
from eds_core.errors import DecodeError
from eds_core.event import Message, Row, Version, VersionedKey
from eds_core.ledger import Checkpoint, Parked, Quarantined
from eds_core.model import parse_reply
from eds_core.schema import Column, ColumnType, TableSchema

DATABASES = ("sqlite", "postgres", "mariadb", "mysql", "cockroach", "snowflake")

#: Each ends a literal, a comment, a parameter or an identifier of some database.
HOSTILE = (
    "'; DROP TABLE victim; --",
    "\\'; DROP TABLE victim; -- ",
    "\\\\'; DROP TABLE victim; #",
    '"; DROP TABLE victim; --',
    "`; DROP TABLE victim; -- ",
    "]; DROP TABLE victim; --",
    "') ; DROP TABLE victim; -- (",
    "'||(SELECT secret FROM victim)||'",
    "$$; DROP TABLE victim; $$",
    "$_H_$; DROP TABLE victim;",
    "/*' */ ; DROP TABLE victim; /*",
    "%s %(name)s %% :name ? {} $1 @p0 &1",
    "\u02bc; DROP TABLE victim; --",  # a letter that some code pages make a quote
    "\uff07; DROP TABLE victim; --",
    "\u00bf\u005c'; DROP TABLE victim; --",  # half of a GBK character
    "\x1a\b\t\r\n\x7f'; DROP TABLE victim; --",
    "now()",
    "NULL",
    "\\N",
    "\\.",
)
NO_NAMES = tuple(text for text in HOSTILE if text != "NULL")
TABLE = TableSchema(
    "order",
    "1",
    tuple(Column(kind.value, kind) for kind in ColumnType),
    ("text",),
)
WIDER = replace(TABLE, columns=(*TABLE.columns, Column("more", ColumnType.TEXT)))


@pytest.fixture(params=DATABASES)
def url(request):
    """The URL of an empty destination, of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@contextmanager
def attacked(url):
    """A destination with a table that must still be as it was in the end."""
    destination = open_destination(url)
    victim = TableSchema(
        "victim",
        "1",
        (Column("id", ColumnType.TEXT), Column("secret", ColumnType.TEXT)),
        ("id",),
    )
    row = Row(("v",), Version(1), b'{"id":"v","secret":"top"}')
    try:
        for table in (victim, TABLE):
            destination.prepare(table)
        write(destination, lambda: destination.upsert(victim, [row]))
        yield destination
        kept = destination.driver.read(victim, None, 10)
        assert [one.values["secret"] for one in kept] == ["top"]
    finally:
        destination.close()


def write(destination, what):
    with destination.transaction():
        return what()


def stored(destination):
    """What is in the table by key, as far as JSON can say it."""
    found = destination.driver.read(TABLE, None, 1000)
    return {row.key[0]: row.values for row in found}


def order(version, key, **values):
    after = json.dumps({"text": key, **values}).encode()
    return Row((key,), Version(version), after)


def test_sql_in_values_and_keys_is_stored_and_not_run(url):
    rows = [
        order(1, text, json={"a": [text]}, bytes="JzsgRFJPUA==") for text in HOSTILE
    ]
    with attacked(url) as destination:
        write(destination, lambda: destination.upsert(TABLE, rows))
        written = stored(destination)
        write(destination, lambda: destination.bulk_load(TABLE, rows))
        keys = [VersionedKey((text,), Version(2)) for text in HOSTILE]
        write(destination, lambda: destination.delete(TABLE, keys))

        assert set(written) == set(HOSTILE)
        assert {key: [key] for key in HOSTILE} == {
            key: _as_json(row["json"])["a"] for key, row in written.items()
        }
        assert stored(destination) == {}


def _as_json(value):
    return json.loads(value) if isinstance(value, str) else value


def test_sql_in_what_eds_keeps_for_itself_is_stored_and_not_run(url):
    with attacked(url) as destination:
        ledger = destination.ledger
        ledger.create()
        for text in HOSTILE:
            ledger.establish(Checkpoint(text, 1, 0, text, text, text))
            ledger.claim(text, text, "server")
        entries = [_entry(number, text) for number, text in enumerate(HOSTILE)]
        write(destination, lambda: ledger.quarantine(entries))
        for text in HOSTILE:
            write(destination, lambda text=text: ledger.park([_parked(text)]))

        assert set(ledger.checkpoints()) == set(HOSTILE)
        assert {c.owner for c in ledger.checkpoints().values()} == set(HOSTILE)
        assert {q.reason for q in ledger.quarantined()} == set(HOSTILE)
        assert {q.message.header("h") for q in ledger.quarantined()} == set(HOSTILE)
        assert {p.reason for p in ledger.parked()} == set(HOSTILE)
        for text in HOSTILE:
            assert ledger.request_resume(text) == 1


def _entry(number, text):
    message = Message(f"dbchange.{text}", text.encode(), number, 1, {"h": text})
    return Quarantined(f"{number}", text, text, text, message, text, text)


def _parked(text):
    return Parked(text, text, 1, text, text)


def test_names_that_the_user_gave_are_quoted(url):
    """A column of the user's own, in the table that EDS writes to."""
    if url.startswith("snowflake"):
        pytest.skip("fakesnow cannot make a column of such a name")
    name = "a\"b'c` d]; DROP TABLE victim; --"
    with attacked(url) as destination:
        quote = destination.driver.session.quote
        with destination.driver.session.altering():
            destination.driver.session.run(
                f"ALTER TABLE {quote('order')} ADD COLUMN {quote(name)} VARCHAR(20)"
            )
        row = order(1, "k", number=1)
        write(destination, lambda: destination.upsert(TABLE, [row]))
        write(destination, lambda: destination.bulk_load(TABLE, [row]))
        destination.prepare(WIDER)
        write(
            destination,
            lambda: destination.delete(WIDER, [VersionedKey(("k",), Version(2))]),
        )

        assert stored(destination) == {}


def test_a_row_that_names_its_key_twice_is_written_under_the_key_that_was_checked(url):
    """A parser that took the first of two would write over somebody else's row."""
    twice = b'{"text":"other","number":1,"text":"mine"}'
    with attacked(url) as destination:
        write(
            destination,
            lambda: destination.upsert(TABLE, [order(1, "other", number=7)]),
        )
        rows = [Row(("mine",), Version(2), twice)]
        write(destination, lambda: destination.upsert(TABLE, rows))
        write(destination, lambda: destination.bulk_load(TABLE, rows))

        assert {k: v["number"] for k, v in stored(destination).items()} == {
            "other": 7,
            "mine": 1,
        }


@pytest.mark.parametrize(
    "name", [*NO_NAMES, "a b", "a.b", "é", "", "_eds_checkpoint", "x" * 200]
)
def test_a_name_that_is_not_plain_is_refused_wherever_it_comes_from(name):
    with pytest.raises(DecodeError):
        TableSchema(name, "1", (Column("id", ColumnType.TEXT),), ("id",))
    reply = {
        "success": True,
        "data": {
            "fields": [
                {"name": "id", "type": "String", "primary_key": True},
                {"name": name, "type": "String"},
            ]
        },
    }
    with pytest.raises(DecodeError):
        parse_reply(json.dumps(reply).encode(), "order")
