"""Hashes that stand for values."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.hashing import Hasher

SALT = b"a secret of the shop"
HASHER = Hasher(SALT)

JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    max_leaves=8,
)


def hashed(text, hasher=HASHER):
    return bytes(hasher.hash(msgspec.Raw(text.encode())))


@given(JSON)
def test_a_hash_is_text_and_hashing_it_again_changes_nothing(value):
    token = hashed(json.dumps(value))

    assert re.fullmatch(rb'"[0-9a-f]{80}"', token)
    assert hashed(token.decode()) == token
    assert hashed(json.dumps(value)) == token


def test_its_first_64_digits_are_the_hmac_of_the_text():
    wanted = hmac.new(SALT, "Zoë".encode(), hashlib.sha256).hexdigest()

    assert json.loads(hashed('"Zo\\u00eb"'))[:64] == wanted


@pytest.mark.parametrize(
    "same",
    [
        ('"a/b"', '"a\\/b"', '"\\u0061/b"'),
        ("100", "1e2", "100.0", "1E+2", '"100"'),
        ("0.5", "5e-1", "0.50"),
        ("0", "-0", "0.000"),
        ('{"a":1,"b":[2, 3]}', '{ "b" : [2.0,3], "a" : 1 }'),
        ("true", "true"),
    ],
)
def test_equal_values_have_equal_hashes_however_they_are_written(same):
    assert len({hashed(text) for text in same}) == 1


def test_different_values_and_other_secrets_have_other_hashes():
    values = ["1", "2", "true", '"a"', '"A"', "[]", "{}", "[1]", "1e40", "1e41", "0.1"]
    long = "1" * 60

    assert len({hashed(v) for v in values}) == len(values)
    assert hashed(f"{long}1") != hashed(f"{long}2")
    assert hashed("1") != hashed("1", Hasher(b"another secret of it"))


def test_what_only_looks_like_a_hash_is_hashed():
    other = hashed('"ada"', Hasher(b"another secret of it")).decode()
    made_up = f'"{"0" * 80}"'

    for text in (other, made_up, made_up.upper()):
        assert hashed(text) != text.encode()


def test_a_number_beyond_all_measure_takes_no_memory():
    assert hashed("1e999999") != hashed("1e999998")


def test_the_secret_is_in_no_repr():
    assert "secret" not in repr(HASHER)
