"""Any file of an export is read, passed over or refused in plain words."""

import gc
import gzip
import io
import tarfile
import tracemalloc
import zipfile
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.errors import ConfigError, DecodeError
from eds_core.event import Version
from eds_core.importer import unpack
from eds_core.importer.files import find
from eds_core.importer.names import read_moment, read_name
from eds_core.importer.reading import read_lines
from eds_core.importer.unpack import FileError, Limits
from eds_core.line import LineReader
from eds_core.schema import Column, ColumnType, TableSchema
from fuzz.damage import damaged, fuzzed, text

MEGABYTE = 1 << 20
LINES = [
    b'{"id":"%d","companyId":"c","note":"\xc3\xa9 %d","meta":{"version":17},'
    b'"updatedDate":"2025-01-31T12:00:00.123Z"}' % (number, number)
    for number in range(20)
]
ROWS = b"\n".join(LINES) + b"\n"
TABLE = TableSchema(
    "note",
    "v1",
    tuple(Column(name, ColumnType.TEXT) for name in ("id", "companyId", "note")),
    ("id",),
)
NAMES = (
    b"20250131120000000000000000000000-f00-1-2-order-1.ndjson.gz",
    b"order (2).jsonl",
    b"folder\\order.json.gz",
)


def tar(mode):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name in ("note.jsonl", "folder/other.ndjson"):
            info = tarfile.TarInfo(name)
            info.size = len(ROWS)
            archive.addfile(info, io.BytesIO(ROWS))
    return buffer.getvalue()


def zipped(method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in ("note.jsonl", "folder/other.ndjson"):
            archive.writestr(zipfile.ZipInfo(name), ROWS, method)
    return buffer.getvalue()


FILES = {
    "plain": [ROWS, b"\xef\xbb\xbf" + ROWS.replace(b"\n", b"\r\n")],
    "gzip": [gzip.compress(ROWS, mtime=0), gzip.compress(gzip.compress(ROWS), mtime=0)],
    "tar": [tar("w"), tar("w:gz")],
    "zip": [zipped(zipfile.ZIP_DEFLATED), zipped(zipfile.ZIP_STORED)],
}


@pytest.fixture(params=["fastest", "standard"])
def reader(request, monkeypatch):
    """With the extra `fast`, and without."""
    if request.param == "standard":
        monkeypatch.setattr(unpack, "GzipFile", gzip.GzipFile)


def read(path):
    """All lines of what is found; none of what is refused."""
    lines = []
    try:
        found = find([path], Limits(total=64 * MEGABYTE))
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - both ends are right
        return lines
    for source in found.sources:
        try:
            with source.open() as stream:
                lines += read_lines(stream, source.name)
        except FileError as error:
            assert str(error)  # noqa: PT017 - both ends are right
    return lines


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_is_read_or_refused(tmp_path, reader, kind):
    path = tmp_path / "note.jsonl"

    @fuzzed
    @given(damaged(FILES[kind]))
    def reads(data):
        path.write_bytes(data)
        numbers = {line.number for line in read(path)}
        assert len(numbers) <= len(data) + 40 * len(LINES) ** 2

    reads()


def test_damage_inside_of_an_archive_is_found(tmp_path):
    path = tmp_path / "note.gz"

    @fuzzed
    @given(damaged(FILES["tar"] + FILES["zip"] + FILES["plain"]))
    def reads(data):
        path.write_bytes(gzip.compress(data, compresslevel=1, mtime=0))
        read(path)

    reads()


@fuzzed
@given(st.lists(damaged(LINES), min_size=1, max_size=6), st.booleans())
def test_a_damaged_line_is_a_row_or_refused(lines, cells):
    reader = LineReader(TABLE, cells=cells)
    for line in lines:
        try:
            schema, row, company = reader.read(line, None, 10**18)
        except DecodeError as error:
            assert str(error).isprintable()  # noqa: PT017 - both ends are right
        else:
            assert schema.name == TABLE.name
            assert row.key
            assert isinstance(company, str)


@fuzzed
@given(damaged(NAMES))
def test_a_damaged_name_tells_a_table_or_nothing(data):
    try:
        told = read_name(text(data))
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - both ends are right
    else:
        assert isinstance(told.table, str)


@fuzzed
@given(damaged([b"2025-01-31T12:00:00.123456789Z", b"Fri, 31 Jan 2025 12:00:00 GMT"]))
def test_a_damaged_moment_is_one_or_refused(data):
    try:
        assert isinstance(read_moment(text(data), "x"), Version)
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - both ends are right


def test_damaged_files_leave_nothing_behind_in_memory(tmp_path):
    dice, path = Random(5), tmp_path / "note.jsonl"
    every = [data for some in FILES.values() for data in some]

    def some(count):
        for _ in range(count):
            data = bytearray(dice.choice(every))
            for _ in range(3):
                data[dice.randrange(len(data))] = dice.randrange(256)
            path.write_bytes(data)
            read(path)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        some(200)  # caches fill
        before = some(200)
        after = some(600)
    finally:
        tracemalloc.stop()

    assert after - before < MEGABYTE
