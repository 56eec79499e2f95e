"""What a database says is told without the shop's values."""

from __future__ import annotations

import pytest

from eds_core.sql.errors import first_sentence


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('invalid input for type bigint: "Jane"', 'invalid input for type bigint: "…"'),
        ('for type bigint: "Jane\n555-1234"', 'for type bigint: "…"'),
        ('for type bigint: " Jane"', 'for type bigint: "…"'),
        ('for type bigint: "Jane', 'for type bigint: "…"'),
        (
            'null value in column "own" of relation "brand" violates it\nDETAIL: Jane',
            'null value in column "own" of relation "brand" violates it',
        ),
        ("UNIQUE constraint failed: thing.a", "UNIQUE constraint failed: thing.a"),
        ("", "no reason given"),
    ],
)
def test_names_are_told_and_values_are_not(said, told):
    assert first_sentence(said) == told
