"""Lines of any length, with where each ends."""

import io

import pytest

from eds_core import line as lines
from eds_core.importer import reading
from eds_core.importer.reading import Line, read_lines
from eds_core.importer.unpack import FileError


def read(data, offset=0, number=0):
    return list(read_lines(io.BufferedReader(io.BytesIO(data)), "f", offset, number))


def test_lines_know_their_number_and_their_end():
    assert read(b'{"a":1}\n\n{"b":2}\n') == [
        Line(b'{"a":1}', 1, 8),
        Line(b'{"b":2}', 3, 17),
    ]


def test_the_last_line_needs_no_end():
    assert read(b"a\nb") == [Line(b"a", 1, 2), Line(b"b", 2, 3)]


def test_crlf_and_a_byte_order_mark_are_no_part_of_a_line():
    assert read(b"\xef\xbb\xbfa\r\nb\r\n") == [Line(b"a", 1, 6), Line(b"b", 2, 9)]


def test_an_empty_file_has_no_lines():
    assert read(b"") == []
    assert read(b"\xef\xbb\xbf") == []


def test_reading_goes_on_behind_any_line_just_as_if_it_had_never_stopped():
    data = b"\xef\xbb\xbf" + b"".join(b"x" * (i % 50) + b"\r\n" for i in range(300))
    every = read(data)
    for index in range(0, len(every), 37):
        stop = every[index]
        assert read(data, stop.end, stop.number) == every[index + 1 :]


def test_a_line_may_be_longer_than_a_block():
    long = b"x" * 3_000_000
    assert read(long + b"\ny\n") == [
        Line(long, 1, 3_000_001),
        Line(b"y", 2, 3_000_003),
    ]


def test_of_a_line_that_is_too_long_the_beginning_is_kept(monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINE", 100_000)
    found = read(b"a\n" + b"x" * 3_000_000 + b"\nb\n")

    assert found == [
        Line(b"a", 1, 2),
        Line(b"x" * lines.KEPT, 2, 3_000_003, 3_000_000),
        Line(b"b", 3, 3_000_005),
    ]


def test_utf_16_is_refused_with_words():
    with pytest.raises(FileError, match="UTF-16"):
        read("{}\n".encode("utf-16"))


def test_a_file_that_has_become_shorter_is_noticed():
    with pytest.raises(FileError, match="shorter than it was"):
        read(b"abc\n", 100, 3)
