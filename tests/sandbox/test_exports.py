"""Export files hold the shop's rows, to the digit, under a changefeed's name."""

import gzip
from decimal import Decimal

from eds_core.sandbox.exports import export_name, write_export
from eds_core.sandbox.oracle import decode_exactly

TIME = 1_720_890_652_808_024_600


def test_the_name_tells_the_table_and_the_time():
    assert export_name("labor_rate", TIME) == (
        "202407131710528080246000000000000"
        "-c7274317e9a4a9cb-1-651-00000000-labor_rate-2.ndjson.gz"
    )


def test_a_file_has_a_line_for_each_row(tmp_path):
    rows = {
        ("1",): {"id": "1", "rate": Decimal("0.10"), "big": 2**53 + 1, "note": None},
        ("2",): {"id": "2", "rate": Decimal("-7E+3"), "big": 0, "note": "Zoë\n\u2028"},
    }
    (path,) = write_export({"labor_rate": rows}, tmp_path, ["labor_rate"], TIME)
    lines = gzip.decompress(path.read_bytes()).split(b"\n")
    assert lines.pop() == b""
    assert [decode_exactly(line) for line in lines] == list(rows.values())


def test_a_table_without_rows_has_an_empty_file(tmp_path):
    (path,) = write_export({}, tmp_path / "new", ["tire"], TIME)
    assert gzip.decompress(path.read_bytes()) == b""
