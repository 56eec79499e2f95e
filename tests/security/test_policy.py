"""What a policy takes away is in no file, whatever events and lines hold."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eds_core.destination import open_destination
from eds_core.dump import Dump
from eds_core.errors import DecodeError
from eds_core.event import Message
from eds_core.importer.options import ImportOptions
from eds_core.importer.run import Import
from eds_core.intake import Intake
from eds_core.ledger import Checkpoint
from eds_core.line import line_message
from eds_core.policy import Action, Policy, Rule
from eds_core.positions import Positions
from eds_core.repeats import Repeats
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.stream import Feed, Settings
from eds_core.transforms import find_transforms
from eds_core.work import make_work, quarantined
from eds_core.writer import Writer

COMPANY = "acme"
CLEAR = "to be seen"
WORD, NUMBER = "secret-", 918273645001
CUSTOMER = TableSchema(
    "customer",
    "m1",
    (
        Column("id", ColumnType.TEXT),
        Column("companyId", ColumnType.TEXT),
        Column("email", ColumnType.TEXT),
        Column("phone", ColumnType.INTEGER),
        Column("tags", ColumnType.JSON),
        Column("since", ColumnType.TIMESTAMP),
        Column("note", ColumnType.TEXT),
        Column("visits", ColumnType.INTEGER),  # "many": the row is rejected
    ),
    ("id",),
)
HIDDEN = ("email", "phone", "tags", "since", "private")


def mostly(usual, *others):
    return st.sampled_from([*[usual] * 3 * len(others), *others])


words = st.text(max_size=9).map(lambda text: WORD + text)
secrets = st.one_of(
    words,
    st.just(NUMBER),
    st.lists(words, max_size=2),
    st.dictionaries(st.text(max_size=3), words, max_size=2),
    st.just(None),
)
rows = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", "2", 3, None]), "note": st.just(CLEAR)},
    optional={
        "companyId": st.sampled_from((COMPANY, "other")),
        "visits": st.sampled_from((7, "many")),
        **dict.fromkeys(HIDDEN, secrets),
    },
)
events = st.fixed_dictionaries(
    {
        "operation": mostly("UPDATE", "INSERT", "DELETE", "NONE"),
        "table": mostly("customer", "other"),
        "key": mostly(["1"], ["2"], ["eu", "3"], []),
        "mvccTimestamp": mostly("1", "5.0000000001", "9" * 18, "x"),
        "modelVersion": mostly("m1", "refused"),
        "after": mostly(rows, rows, st.just(WORD) | st.none()).flatmap(lambda one: one),
    },
    optional={"before": rows, "diff": st.just(["email"])},
)


def doubled(data):
    """A name that comes twice: readers differ in which they believe."""
    return data.replace(b'"email":', b'"email": "secret-1", "em\\u0061il":')


harms = st.sampled_from(
    (
        *[bytes, gzip.compress] * 4,
        lambda data: msgspec.msgpack.encode(json.loads(data)),
        doubled,
        doubled,
        lambda data: data[:-4],
        lambda data: data + b"secret-2",
        lambda data: gzip.compress(data)[:-9],
        lambda data: data.replace(b"secret-", b"secret-\xff"),
    )
)
messages = st.tuples(events, harms).map(lambda p: p[1](json.dumps(p[0]).encode()))
lines = st.tuples(rows, st.sampled_from((bytes, doubled, lambda data: data[:-4]))).map(
    lambda pair: pair[1](json.dumps(pair[0]).encode())
)
policies = st.tuples(*[st.sampled_from(Action)] * len(HIDDEN)).map(
    lambda actions: Policy(
        rules=tuple(
            Rule(action, "cust*", name)
            for action, name in zip(actions, HIDDEN, strict=True)
        ),
        salt=b"0123456789abcdef",
    )
)


def schemas(event):
    if event.model_version == "refused":
        raise DecodeError("this model is refused")
    return CUSTOMER


def message(number, data):
    subject = f"dbchange.customer.X.{COMPANY}.N.PUBLIC.1.e{number}"
    return Message(subject, data, number, 10**9, {"content-encoding": "gzip"})


class Stream:
    """What comes, written as the pipeline does it, by one and the same code."""

    def __init__(self, directory, policy):
        self.transforms = find_transforms(policy.plugins())
        self.dump = Dump(directory / "dump")
        self.destination = open_destination(f"sqlite:///{directory / 'shop.db'}")
        ledger = self.destination.ledger
        ledger.create()
        ledger.establish(Checkpoint(COMPANY, 0, 0, "a", "s", "p"))
        self.positions = Positions()
        self.positions.take(ledger.claim(COMPANY, "me", "server"))
        self.writer = Writer(self.destination)

    def write(self, payloads):
        intake = Intake(self.dump, transforms=self.transforms)
        intake.open_lane(COMPANY, 0)
        for number, data in enumerate(payloads, 1):
            intake.put([message(number, data)])
        taken = intake.take(schemas)
        self.commit(make_work(taken.entries, self.positions.moves(taken.reached)))

    def retry(self):
        """All that is in quarantine, once more."""
        again = self.destination.ledger.quarantined()
        work = asyncio.run(self._replay(again))
        if work is not None:
            self.commit(work)

    async def _replay(self, again):
        feed = Feed(Settings(("nats://127.0.0.1:1",), Path("none.creds")))
        repeats = Repeats(feed, Intake(), schemas, self.transforms)
        try:
            return repeats.replay(again, self.positions)
        finally:
            await feed.close()

    def commit(self, work):
        written = self.writer.write(work)
        self.positions.committed(written.work.moves)
        for entry in written.work.quarantine.values():
            logging.getLogger("eds").warning("%s: %s", entry.id, entry.reason)


@contextmanager
def streaming(directory, policy):
    stream = Stream(directory, policy)
    try:
        yield stream
    finally:
        stream.destination.close()


def cells(path):
    """All values of all tables, as text."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in connection.execute(query).fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from map(str, row)


def check(directory, log):
    """Nothing of what is hidden is anywhere."""
    number = NUMBER.to_bytes(6, "big")  # as SQLite has it
    for path in directory.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for hidden in (WORD.encode(), str(NUMBER).encode(), number):
            assert hidden not in data, path
        assert WORD not in path.name
    for text in (log, *cells(directory / "shop.db")):
        assert WORD not in text
        assert str(NUMBER) not in text


examples = settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # an import takes too long to be shrunk
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@examples
@given(policies, st.lists(messages, max_size=6))
def test_what_is_hidden_is_in_no_file_and_no_log(caplog, policy, payloads):
    caplog.clear()
    with tempfile.TemporaryDirectory() as name, caplog.at_level("DEBUG"):
        with streaming(Path(name), policy) as stream:
            stream.write(payloads)
            stream.retry()
            left = stream.destination.ledger.quarantined()
        check(Path(name), caplog.text)

    assert WORD not in repr(left)


@examples
@given(policies, st.lists(lines, min_size=1, max_size=6))
def test_what_is_hidden_in_an_export_is_in_no_file_and_no_log(caplog, policy, some):
    caplog.clear()
    with (
        tempfile.TemporaryDirectory() as name,
        tempfile.TemporaryDirectory() as files,
        caplog.at_level("DEBUG"),
    ):
        export = Path(files, "customer.json")
        export.write_bytes(b"\n".join(some))
        with streaming(Path(name), policy) as stream:
            transform = stream.transforms.of(CUSTOMER)
            stream.destination.prepare(transform.table)
        url = f"sqlite:///{Path(name) / 'shop.db'}"
        options = ImportOptions((export,), url, policy=policy)
        outcome = asyncio.run(Import(options).run())
        check(Path(name), caplog.text + repr(outcome.tally))


def good(**row):
    after = {"id": "1", "companyId": COMPANY, "note": CLEAR, **row}
    body = {
        "operation": "UPDATE",
        "table": "customer",
        "key": ["1"],
        "mvccTimestamp": "7",
        "modelVersion": "m1",
        "before": after,
        "after": after,
    }
    return json.dumps(body).encode()


ALL = Policy(
    rules=tuple(Rule(Action.HASH, "customer", name) for name in HIDDEN),
    salt=b"0123456789abcdef",
)


def found(directory, query):
    with closing(sqlite3.connect(directory / "shop.db")) as connection:
        return connection.execute(query).fetchall()


def test_what_is_not_hidden_is_written(tmp_path):
    with streaming(tmp_path, ALL) as stream:
        stream.write([good(email="secret-1", phone=NUMBER, tags=["secret-2"])])
    ((note, *hidden),) = found(
        tmp_path, "SELECT note, email, phone, tags FROM customer"
    )

    assert note == CLEAR
    assert [len(value) for value in hidden] == [80] * 3


def test_without_a_policy_all_of_it_would_be_found(tmp_path):
    """So that the tests above are worth something."""
    nothing = Policy(only=("customer",))
    with streaming(tmp_path, nothing) as stream:
        stream.write([good(email="secret-1", phone=NUMBER)])
    with pytest.raises(AssertionError, match=r"shop\.db|dump"):
        check(tmp_path, "")


def test_a_retry_writes_the_same_hash_and_not_the_hash_of_a_hash(tmp_path):
    rejected = Policy(rules=ALL.rules[:1], salt=ALL.salt)  # `phone` stays as it is
    with streaming(tmp_path, rejected) as stream:
        stream.write([good(email="secret-1", phone="many")])
        (entry,) = stream.destination.ledger.quarantined()
        sent = json.loads(entry.message.data)["after"]
        stream.retry()
        stream.write([good(email="secret-1", phone=5)])
    (value,) = found(tmp_path, "SELECT email, phone FROM customer")

    assert value == (sent["email"], 5)
    assert len(sent["email"]) == 80


def test_a_retry_of_what_was_kept_before_the_policy_obeys_it(tmp_path):
    line = b'{"id": "9", "companyId": "acme", "email": "secret-1", "note": "n"}'
    old = [
        message(1, good(email="secret-1")),
        line_message("customer", COMPANY, line, file="f", number=1, version=None),
        message(2, b"secret-rubbish"),
    ]
    with streaming(tmp_path, ALL) as stream:
        with stream.destination.transaction():
            stream.destination.ledger.quarantine([*map(kept, old)])
        stream.retry()
        left = stream.destination.ledger.quarantined()
    emails = found(tmp_path, "SELECT id, length(email) FROM customer ORDER BY id")

    assert emails == [("1", 80), ("9", 80)]
    assert [entry.message.data for entry in left] == [b"secret-rubbish"]  # as it was


def test_a_retry_of_what_is_left_out_by_now_writes_nothing_and_is_forgotten(
    tmp_path, caplog
):
    with streaming(tmp_path, Policy(leaves_out=("cust*",))) as stream:
        with stream.destination.transaction():
            stream.destination.ledger.quarantine([kept(message(1, good()))])
        with caplog.at_level("INFO", "eds"):
            stream.retry()
        left = stream.destination.ledger.quarantined()
        there = stream.destination.columns("customer")

    assert (left, there) == ([], {})
    assert "1 (customer) is not wanted any more" in caplog.text


def kept(message):
    return quarantined(message, DecodeError("an old reason"))
