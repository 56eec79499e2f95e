from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

#: Takes an event from its message on, as the pipeline does, and says what is kept.
STREAMS = """
import json, sys
from eds_core import Column, ColumnType, Message, TableSchema
from eds_core.intake import Intake
from eds_core.plugins import installed_plugins
from eds_core.transforms import find_transforms
columns = [Column(n, ColumnType.TEXT) for n in ("id", "number")]
columns.append(Column("visits", ColumnType.INTEGER))
table = TableSchema("phone_number", "m1", tuple(columns), ("id",))
intake = Intake(transforms=find_transforms(installed_plugins()))
intake.open_lane("acme", 0)
after = json.loads(sys.argv[1])
body = {"operation": "INSERT", "table": "phone_number", "key": ["1"], "timestamp": 5,
        "modelVersion": "m1", "before": after, "after": after}
subject = "dbchange.phone_number.INSERT.acme.N.PUBLIC.1.e1"
intake.put([Message(subject, json.dumps(body).encode(), 1, 5 * 10**6)])
(entry,) = intake.take(lambda event: table).entries
print(json.dumps([str(entry.error or ""), entry.message.data.decode()]))
"""


@pytest.fixture(scope="module")
def environment(installed):
    return installed("eds-plugin-redact")


def run(environment, columns, *command):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env={**environment, "EDS_REDACT": columns},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def streamed(environment, **row):
    """Why the event is kept out, and the message as it is kept."""
    row = json.dumps({"id": "1", **row})
    done = run(environment, "phone_number.number", "-c", STREAMS, row)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_event_is_masked_in_all_that_is_kept_of_it(environment):
    error, kept = streamed(environment, number="+15551234567", visits=7)

    assert error == ""
    assert json.loads(kept)["after"] == {
        "id": "1",
        "number": "********4567",
        "visits": 7,
    }
    assert "+1555" not in kept


def test_null_stays_null_and_what_is_short_shows_nothing(environment):
    for number, masked in ((None, None), ("4567", "****")):
        _, kept = streamed(environment, number=number)
        assert json.loads(kept)["after"]["number"] == masked


def test_a_value_that_cannot_be_masked_is_not_kept(environment):
    error, kept = streamed(environment, number={"secret": "+15551234567"})

    assert "plugin Redact fails: ValidationError" in error
    assert "+1555" not in error + kept


def test_a_column_that_is_no_text_is_told(environment):
    row = json.dumps({"id": "1", "visits": 1})
    done = run(environment, "phone_number.visits", "-c", STREAMS, row)

    assert "EDS_REDACT: phone_number.visits is no text" in done.stderr


def test_an_import_is_masked_and_compared_with_what_it_wrote(environment, tmp_path):
    rows = [{"id": n, "number": f"+155512345{n}"} for n in ("67", "68")]
    lines = [*map(json.dumps, rows), '{"id": "69", "number": "+15551234569"']
    export, shop = tmp_path / "phone_number.jsonl", tmp_path / "shop.db"
    export.write_text("\n".join(lines))
    command = ("-m", "eds_core", "import", "--verify", export, f"sqlite:///{shop}")

    done = run(environment, "phone_number.number", *command)

    assert done.returncode == 3, done.stderr  # the broken line is in quarantine
    assert "verified" in done.stdout
    with closing(sqlite3.connect(shop)) as connection:
        found = connection.execute("SELECT id, number FROM phone_number").fetchall()
    assert sorted(found) == [("67", "********4567"), ("68", "********4568")]
    for text in (shop.read_bytes(), (done.stdout + done.stderr).encode()):
        assert b"+1555" not in text
