"""What is in the lake, how it is read and made small: the README as written."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from eds_core.destination import Destination
from eds_core.errors import ConfigError, DecodeError, TableError, TransientError
from eds_core.event import ChangeEvent, Message, Operation, Version
from eds_core.findings import Verdict
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.work import Work
from eds_core.writer import Writer
from eds_driver_parquet import ParquetDriver, latest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
VIEW, COMPACTION = re.findall(
    r"^ *```sql\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE
)
ID, TOTAL = Column("id", ColumnType.TEXT), Column("total", ColumnType.INTEGER)
MODEL = TableSchema("order", "1", (ID, TOTAL), ("id",))
WIDER = TableSchema(
    "order",
    "2",
    (ID, Column("total", ColumnType.DECIMAL), Column("note", ColumnType.TEXT)),
    ("id",),
)
DAY = 86_400_000_000_000


@pytest.fixture
def lake(tmp_path):
    """An open lake; company ``shop`` is claimed on it, at position 0."""
    destination = begun(tmp_path)
    yield destination
    destination.close()


def begun(place):
    destination = Destination(ParquetDriver(f"file://{place}"))
    destination.open()
    destination.ledger.create()
    destination.ledger.establish(Checkpoint("shop", 0, 0, "a", "s", "p"))
    destination.ledger.claim("shop", "me", "server")
    return destination


def change(number, key, model=MODEL, operation=Operation.UPDATE, **values):
    """The change with sequence *number*, made on that day of 1970, counted from 0."""
    message = Message(f"dbchange.order.{operation}.shop.N.PUBLIC.1.e", b"", number, 1)
    after = json.dumps({"id": key, **values}).encode()
    version = Version(number * DAY, 7)
    event = ChangeEvent(
        "e", "order", operation, [key], version, model.model_version, after, message
    )
    return event, model


def write(destination, *changes):
    """One batch, which moves the position by as many as there are changes."""
    at = destination.ledger.checkpoints()["shop"]
    move = Move("shop", at.epoch, at.sequence, at.sequence + len(changes), 0)
    Writer(destination).write(Work(changes, {"shop": move}))


def files(place):
    return sorted((place / "order").rglob("*.parquet"))


def rows(place):
    """What the README's view has."""
    with duckdb.connect() as connection:
        connection.execute(VIEW.replace("/var/lib/eds/lake", str(place)))
        return connection.execute('FROM "order" ORDER BY id').fetchall()


def every(place, columns):
    """Every change in the lake."""
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {columns} FROM read_parquet('{place}/order/*/*.parquet', "
            "union_by_name = true) ORDER BY _eds_order"
        )
        return found.fetchall()


def test_the_readmes_view_is_the_query_that_the_package_gives():
    files = "/var/lib/eds/lake/order/*/*.parquet"

    assert f'CREATE VIEW "order" AS\n{latest(files, ["id"])}' == VIEW


def test_a_quote_in_a_path_ends_nothing(tmp_path):
    place = tmp_path / "it's"
    place.mkdir()
    lake = begun(place)
    write(lake, change(1, "a", total=1))
    lake.close()

    query = latest(f"{place}/order/*/*.parquet", ["id"])
    assert duckdb.sql(query).fetchall() == [("a", 1)]


def test_columns_say_what_happened_when_and_in_which_order(lake, tmp_path):
    write(lake, change(1, "a", operation=Operation.INSERT, total=1))
    write(lake, change(2, "a", total=2), change(3, "b", operation=Operation.DELETE))

    columns = "_eds_operation, id, _eds_deleted, _eds_sequence, eds_date::VARCHAR"
    deleted, *others = sorted(every(tmp_path, columns))
    assert deleted == ("DELETE", "b", True, 3, "1970-01-04")
    assert others == [
        ("INSERT", "a", False, 1, "1970-01-02"),
        ("UPDATE", "a", False, 2, "1970-01-03"),
    ]
    versions = {str(version) for (version,) in every(tmp_path, "_eds_version")}
    assert f"{DAY}.0000000007" in versions
    assert every(tmp_path, "_eds_order") == sorted(set(every(tmp_path, "_eds_order")))


def test_a_batch_is_one_file_per_table_and_day(lake, tmp_path):
    lake.prepare(MODEL)
    before = len(files(tmp_path))
    write(lake, *(change(n, key, total=n) for n in (1, 2) for key in f"abc{n}"))

    assert before == 1  # it has the columns, and no rows
    assert len(files(tmp_path)) == before + 2
    assert [len(rows(tmp_path))] == [5]


def test_the_table_grows_and_widens_and_old_files_are_still_read(lake, tmp_path):
    write(lake, change(1, "a", total=7))
    write(lake, change(2, "b", WIDER, total="1.25", note="x"))

    found = [(key, str(total), note) for key, total, note in rows(tmp_path)]
    assert found == [("a", "7.000000000", None), ("b", "1.250000000", "x")]


def test_a_new_column_is_there_before_it_has_values(lake, tmp_path):
    write(lake, change(1, "a", total=7))
    lake.prepare(WIDER)

    assert [(key, note) for key, _, note in rows(tmp_path)] == [("a", None)]


def test_made_small_as_the_readme_says_it_is_the_same_and_deletions_stay(
    lake, tmp_path
):
    write(lake, change(1, "a", total=1), change(5, "b", total=1))
    write(lake, change(3, "a", total=3), change(9, "b", operation=Operation.DELETE))
    before, old = rows(tmp_path), files(tmp_path)

    made = tmp_path.parent / f"{tmp_path.name}.compacted.parquet"
    query = COMPACTION.replace("/var/lib/eds/compacted.parquet", str(made))
    with duckdb.connect() as connection:
        connection.execute(query.replace("/var/lib/eds/lake", str(tmp_path)))
    write(lake, change(2, "a", total=2))  # meanwhile
    place = tmp_path / "order" / "eds_date=2026-11-25"
    place.mkdir(exist_ok=True)  # the day may be today
    made.rename(place / made.name)
    both = rows(tmp_path)
    for file in old:
        file.unlink()
    write(lake, change(8, "b", total=8))  # older than its deletion

    assert before == both == rows(tmp_path) == [("a", 3)]
    assert len(every(tmp_path, "*")) == 2 + 2


def test_what_a_killed_server_left_half_written_is_not_read(lake, tmp_path):
    write(lake, change(1, "a", total=1))
    (tmp_path / "order" / "eds_date=1970-01-02" / ".x.parquet.tmp").write_bytes(b"PAR1")

    assert rows(tmp_path) == [("a", 1)]


DIES = """
import os, sys
sys.path.insert(0, {tests!r})
from test_parquet_lake import MODEL, Path, begun, change, write
lake = begun(Path({place!r}))
lake.prepare(MODEL)
rename, files = Path.rename, []
def dying(path, to):
    rename(path, to)
    files.append(path)
    if len(files) == {after}:
        os._exit(7)
Path.rename = dying
write(lake, change(1, "a", total=1), change(2, "b", total=2))
"""


@pytest.mark.parametrize("after", [1, 2])
def test_who_dies_between_files_and_position_writes_them_again(tmp_path, after):
    tests = str(Path(__file__).parent)
    source = DIES.format(tests=tests, place=str(tmp_path), after=after)
    died = subprocess.run([sys.executable, "-c", source], check=False, timeout=120)
    lake = begun(tmp_path)
    position = lake.ledger.checkpoints()["shop"].sequence
    left = rows(tmp_path)
    write(lake, change(1, "a", total=1))  # divided otherwise
    write(lake, change(2, "b", total=2), change(3, "b", total=3))

    assert died.returncode == 7
    assert (position, left) == (0, [("a", 1), ("b", 2)][:after])
    assert lake.ledger.checkpoints()["shop"].sequence == 3
    assert rows(tmp_path) == [("a", 1), ("b", 3)]
    assert len(every(tmp_path, "id")) == after + 2
    lake.close()


def test_a_full_disk_is_waited_for_and_nothing_is_lost(lake, tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    lake.prepare(MODEL)
    with monkeypatch.context() as broken:
        broken.setattr("eds_driver_parquet.places.os.fsync", full)
        with pytest.raises(TransientError, match="No space left"):
            write(lake, change(1, "a", total=1))
    assert rows(tmp_path) == []
    write(lake, change(1, "a", total=1))

    assert rows(tmp_path) == [("a", 1)]


@pytest.mark.parametrize("broken", ["first", "last"])
def test_a_batch_that_does_not_fit_the_disk_leaves_nothing(
    lake, tmp_path, monkeypatch, broken
):
    lake.prepare(MODEL)
    before = every_file(tmp_path)
    fsync, written = os.fsync, []

    def full(handle):
        if Path(f"/proc/self/fd/{handle}").readlink().suffix == ".tmp":
            written.append(handle)
            if broken == "first" or len(written) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    for _ in range(3):
        written.clear()
        with monkeypatch.context() as patched:
            patched.setattr("eds_driver_parquet.places.os.fsync", full)
            with pytest.raises(TransientError, match="No space left") as caught:
                write(lake, change(1, "a", total=1), change(2, "b", total=2))
    assert "room on the disk" in caught.value.advice
    assert every_file(tmp_path) == before

    write(lake, change(1, "a", total=1), change(2, "b", total=2))
    assert rows(tmp_path) == [("a", 1), ("b", 2)]
    assert len(every_file(tmp_path)) == len(before) + 2


def every_file(place):
    """All but the state."""
    return {str(path) for path in (place / "order").rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["eds_date", "EDS_Date"])
def test_a_column_called_as_the_directories_is_refused(lake, name):
    table = TableSchema("t", "1", (ID, Column(name, ColumnType.TEXT)), ("id",))

    with pytest.raises(TableError, match="eds_date"):
        lake.prepare(table)


def test_changes_wait_for_others_unless_the_url_says_otherwise(tmp_path):
    assert ParquetDriver(f"file://{tmp_path}").freshness == 60
    assert ParquetDriver(f"file://{tmp_path}?freshness=0").freshness == 0


@pytest.mark.parametrize(
    "url",
    ["file://lake", "file:///lake?stat=x", "s3://Bucket/x", "s3://bucket/x?secret=y"],
)
def test_a_url_that_names_no_lake_is_refused_with_an_example(url):
    with pytest.raises(ConfigError, match="names no place") as caught:
        ParquetDriver(url)

    assert "file:///absolute/directory" in caught.value.advice
    assert "=y" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "a/b", "/etc/x", "a\0b", "a\\b", "x" * 129, "a=b", ""]
)
def test_no_table_is_called_so_that_it_leaves_the_lake(name):
    with pytest.raises(DecodeError, match="is not a name that EDS accepts"):
        TableSchema(name, "1", (ID,), ("id",))


def test_the_longest_name_of_a_table_is_a_directory(lake, tmp_path):
    table = TableSchema("x" * 128, "1", (ID,), ("id",))
    lake.prepare(table)

    assert len([*(tmp_path / table.name).rglob("*.parquet")]) == 1


def test_the_doctor_says_that_a_directory_may_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("eds_driver_parquet.places.os.access", lambda *_: False)
    driver = ParquetDriver(f"file://{tmp_path}")
    driver.read_only = True
    driver.open()

    found = [*Destination(driver).diagnose({})]
    driver.close()

    wrong = [each for each in found if each.verdict is Verdict.WRONG]
    assert wrong[0].about == "directory"
    assert wrong[0].paste == f"chown USER {tmp_path}"
    assert "file" in [each.about for each in found]  # the state


def test_the_doctor_is_content_with_a_sound_lake(lake, tmp_path):
    lake.prepare(MODEL)
    driver = ParquetDriver(f"file://{tmp_path}")
    driver.read_only = True
    driver.open()

    found = [*Destination(driver).diagnose({"order": MODEL})]
    driver.close()

    assert {each.verdict for each in found} <= {Verdict.OK, Verdict.NOTE}


def test_a_directory_that_is_not_there_is_the_users_to_make(tmp_path):
    with pytest.raises(ConfigError) as caught:
        ParquetDriver(f"file://{tmp_path}/lake").open()

    assert caught.value.advice == f"mkdir -p {tmp_path}/lake"
