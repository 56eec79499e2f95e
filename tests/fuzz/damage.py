"""Valid inputs, and damage that keeps most of their structure.

EDS_TEST_FUZZ_EXAMPLES=N looks at N random examples of each test; without it a few
hundred are, and always the same ones.
"""

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MORE = os.environ.get("EDS_TEST_FUZZ_EXAMPLES")

#: A hang is what takes longer; the machine may be busy.
fuzzed = settings(
    max_examples=int(MORE or 200),
    derandomize=MORE is None,
    database=None,
    deadline=timedelta(seconds=20),
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)

INTERESTING = (
    *(b"\0", b"\xff", b"\n", b"\r\n", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b","),
    *(b"null", b"true", b"NaN", b"-0", b"1e999", b"9" * 40, b"\\ud800"),
    *(b"%", b"%00", b"%zz", b"@", b"/", b"?", b"#", b"&", b"=", b";", b" ", b"../"),
    *(b"\x1f\x8b\x08", b"PK\x03\x04", b"\xdf\xff\xff\xff\xff", b"-----", b"."),
    *(b"\xc3\xa9", b"\xed\xa0\x80"),
)


@st.composite
def damaged(draw, valid, most=4):
    """One of the *valid* bytes, damaged in up to *most* places."""
    data = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(0, most))):
        data = draw(st.sampled_from(DAMAGES))(draw, data, valid)
    return data


def flip(draw, data, _valid):
    at = _place(draw, data)
    changed = bytes([data[at] ^ draw(st.integers(1, 255))]) if data else b""
    return data[:at] + changed + data[at + 1 :]


def cut(draw, data, _valid):
    first, last = _range(draw, data)
    return data[:first] + data[last:]


def cut_off(draw, data, _valid):
    return data[: _place(draw, data)]


def insert(draw, data, _valid):
    at = _place(draw, data)
    some = st.one_of(st.sampled_from(INTERESTING), st.binary(max_size=9))
    return data[:at] + draw(some) + data[at:]


def splice(draw, data, valid):
    other = draw(st.sampled_from(valid))
    return data[: _place(draw, data)] + other[_place(draw, other) :]


def duplicate(draw, data, _valid):
    first, last = _range(draw, data)
    times = draw(st.sampled_from([1, 2, 50]))
    return data[:last] + data[first:last] * times + data[last:]


DAMAGES = (flip, cut, cut_off, insert, splice, duplicate)


def _place(draw, data):
    return draw(st.integers(0, max(0, len(data) - 1)))


def _range(draw, data):
    return sorted((_place(draw, data), _place(draw, data)))


def text(data):
    """The bytes as text, whatever they are."""
    return data.decode("utf-8", "surrogateescape")
