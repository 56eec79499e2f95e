"""Lines gathered to what one transaction writes."""

import io
import json
from pathlib import Path

import pytest

from eds_core.driver import hookimpl
from eds_core.errors import RejectedError
from eds_core.event import Version
from eds_core.importer.chunks import Chunker
from eds_core.importer.files import Source
from eds_core.importer.names import Told
from eds_core.importer.plan import Item
from eds_core.importer.reading import read_lines
from eds_core.importer.unpack import FileError, Limits
from eds_core.plugins import Transform
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.transforms import find_transforms

TABLE = TableSchema(
    "label",
    "m1",
    tuple(Column(n, ColumnType.TEXT) for n in ("id", "companyId", "name", "color")),
    ("id",),
)


def item(**changes):
    source = Source(Path("label.json"), "label.json", Told(), 1, Limits())
    return Item(**{"source": source, "table": TABLE, "snapshot": Version(5)} | changes)


def chunks(rows, most=5000, companies=(), **changes):
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows]
    stream = io.BufferedReader(io.BytesIO(b"\n".join(lines)))
    chunker = Chunker(item(**changes), companies, "c0")
    return list(chunker.chunks(read_lines(stream, "label.json"), most))


def written(chunk):
    """The rows in the order in which they are written, with their columns."""
    return [
        (json.loads(row.after)["name"], len(group.schema.columns))
        for group in chunk.groups
        for row in group.sorted
    ]


def test_rows_with_the_same_columns_are_one_statement():
    rows = [{"id": str(n), "name": str(n)} for n in (3, 1, 2)]
    (chunk,) = chunks(rows)

    assert written(chunk) == [("1", 2), ("2", 2), ("3", 2)]
    assert (chunk.read, chunk.line) == (3, 3)


def test_rows_of_one_key_with_other_columns_are_written_in_their_order():
    (chunk,) = chunks(
        [
            {"id": "1", "name": "first"},
            {"id": "2", "name": "other", "color": "red"},
            {"id": "1", "name": "second", "color": "red"},
            {"id": "1", "name": "third"},
        ]
    )

    assert written(chunk) == [("first", 2), ("other", 3), ("second", 3), ("third", 2)]


def test_of_equal_keys_the_last_is_written():
    (chunk,) = chunks([{"id": "1", "name": n} for n in ("a", "b", "c")])

    assert written(chunk) == [("c", 2)]
    assert chunk.read == 3


def test_a_chunk_ends_with_its_rows_and_the_next_goes_on_behind_it():
    rows = [{"id": str(n), "name": "x"} for n in range(25)]
    found = chunks(rows, most=10)

    assert [chunk.read for chunk in found] == [10, 10, 5]
    assert [chunk.line for chunk in found] == [10, 20, 25]
    assert found[0].offset < found[1].offset < found[2].offset


def test_the_last_chunk_may_be_empty_but_knows_where_it_ends():
    *_, last = chunks([{"id": str(n), "name": "x"} for n in range(10)], most=10)

    assert (last.read, last.line) == (0, 10)


def test_a_broken_line_is_kept_with_its_place():
    (chunk,) = chunks([{"id": "1", "name": "x"}, b'{"id'])
    (bad,) = chunk.bad

    assert bad.reason.startswith("label.json line 2: not valid JSON")
    assert (bad.table, bad.company, bad.message.data) == ("label", "c0", b'{"id')


def test_a_row_of_a_company_that_is_not_ours_is_kept_out():
    rows = [{"id": str(n), "name": "x", "companyId": f"c{n}"} for n in (1, 2)]
    (chunk,) = chunks(rows, companies=["c1"])

    assert written(chunk) == [("x", 3)]
    assert "the row is of company c2" in chunk.bad[0].reason


def test_a_file_without_a_single_row_is_refused():
    with pytest.raises(FileError, match="not one of the first 100 lines"):
        chunks([b"no"] * 100)


def test_a_short_file_of_broken_lines_is_kept():
    (chunk,) = chunks([b"no"] * 99)

    assert len(chunk.bad) == 99


def test_one_good_line_makes_it_an_export():
    found = chunks([{"id": "1", "name": "x"}, *[b"no"] * 2500])

    assert sum(len(chunk.bad) for chunk in found) == 2500
    assert max(len(chunk.bad) for chunk in found) == 1000


class Hiding:
    """Leaves out the column name, and rows that are blue."""

    @hookimpl
    def transform(self, table):
        columns = tuple(c for c in table.columns if c.name != "name")
        kept = TableSchema(table.name, table.model_version, columns, table.key)
        return Transform(kept, self._row, "hiding")

    @staticmethod
    def _row(row):
        if bytes(row.get("color", b"")) == b'"blue"':
            return None
        return {name: token for name, token in row.items() if name != "name"}


def changed():
    transform = find_transforms([Hiding()]).of(TABLE)
    return {"table": transform.table, "transform": transform}


def test_lines_are_changed_and_what_is_kept_of_them_is_no_more_than_that():
    rows = [
        {"id": "1", "name": "secret", "color": "red", "companyId": "c1"},
        {"id": "2", "name": "secret", "color": "blue"},
        {"id": "3", "color": "red", "name": "secret", "companyId": "c2"},
        b'{"name": "secret", "id',
        {"name": "secret"},
    ]
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows]
    stream = io.BufferedReader(io.BytesIO(b"\n".join(lines)))
    chunker = Chunker(item(**changed()), ["c1"], "c1")
    (chunk,) = chunker.chunks(read_lines(stream, "label.json"), 100)
    (group,) = chunk.groups
    (row,) = group.sorted
    rejected = chunker.quarantined(chunk.lines[row.key], RejectedError("no"))

    assert json.loads(row.after) == {"id": "1", "color": "red", "companyId": "c1"}
    assert [c.name for c in group.schema.columns] == ["id", "companyId", "color"]
    assert (chunk.read, chunk.line) == (4, 5)  # one row was not wanted
    assert rejected.message.data == row.after
    assert [bad.message.data for bad in chunk.bad] == [b""] * 3
    assert all("not kept" in bad.reason for bad in chunk.bad)


def test_a_broken_import_begins_anew_under_another_transform():
    plain, hiding = item(), item(**changed())

    assert plain.id != hiding.id
    assert hiding.id == item(**changed()).id


def test_of_a_file_with_several_tables_each_takes_its_own_lines():
    rows = [{"id": "1", "name": "x"}, {"id": "2", "total": 1}, b"broken"]
    mine = frozenset({("id", "name")})
    (chunk,) = chunks(rows, only=mine)
    assert (chunk.read, len(chunk.bad), chunk.line) == (2, 1, 3)

    (chunk,) = chunks(rows, only=mine, keeps_broken=False)
    assert (chunk.read, len(chunk.bad), chunk.line) == (1, 0, 3)
