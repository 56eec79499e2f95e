"""Rows are cut into parts that one statement takes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from eds_core.sql.parts import parts


@given(st.lists(st.binary(max_size=9)), st.integers(1, 20))
def test_parts_are_as_large_as_they_may_be_and_lose_nothing(items, most):
    found = list(parts(items, most))

    sizes = [sum(map(len, part)) for part in found]
    assert [item for part in found for item in part] == items
    assert all(found)
    assert all(
        size <= most or len(part) == 1 for size, part in zip(sizes, found, strict=True)
    )
    assert all(
        size + len(following[0]) > most
        for size, (_, following) in zip(sizes, pairwise(found), strict=False)
    )


def test_what_an_item_takes_is_for_the_caller_to_say():
    assert list(parts("abc", 4, lambda _: 2)) == [["a", "b"], ["c"]]
    assert list(parts([], 4)) == []
