"""Batches are bounded, and every company has its share of them."""

from __future__ import annotations

import pytest

from core.intakes import A, B, C, all_but, intake, known, message, sequences
from eds_core import intake as module


def test_a_batch_is_bounded_by_count(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 10)
    found = intake(aa=0)
    for sequence in range(1, 26):
        found.put([message(A, sequence)])

    assert [len(found.take(known).entries) for _ in range(4)] == [10, 10, 5, 0]


def test_a_batch_is_bounded_by_bytes(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    found = intake(aa=0)
    for sequence in range(1, 21):
        found.put([message(A, sequence, size=2000)])
    first = found.take(known)

    assert len(first.entries) == 5
    assert first.size < 10_000 + 3000


def test_an_event_larger_than_a_batch_goes_alone(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    found = intake(aa=0, bb=0)
    for company in (A, B):
        for sequence in range(1, 4):
            found.put([message(company, sequence, size=5000)])
    taken = [found.take(known) for _ in range(6)]

    assert [len(t.entries) for t in taken] == [1] * 6
    assert sorted(sequences(t)[0] for t in taken) == [1, 1, 2, 2, 3, 3]


def test_a_hot_company_does_not_starve_the_others(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 30)
    found = intake(aa=0, bb=0, cc=0)
    for sequence in range(1, 1001):
        found.put([message(A, sequence)])
    for sequence in range(1, 6):
        found.put([message(B, sequence)])
    for sequence in range(1, 101):
        found.put([message(C, sequence)])
    taken = found.take(known)
    counts = {company: len(sequences(taken, company)) for company in (A, B, C)}

    assert counts == {A: 13, B: 5, C: 12}


def test_a_full_batch_leaves_a_share_of_bytes_to_every_company(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 20_000)
    found = intake(aa=0, bb=0)
    for sequence in range(1, 101):
        found.put([message(A, sequence, size=1000)])
    for sequence in range(1, 200):
        found.put([message(B, sequence, size=1000)])
    taken = found.take(known)

    assert abs(len(sequences(taken, A)) - len(sequences(taken, B))) <= 1


def test_more_companies_than_a_batch_has_room_for_all_get_their_turn(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    companies = [f"c{number}" for number in range(10)]
    found = intake(**dict.fromkeys(companies, 0))
    for company in companies:
        for sequence in (1, 2, 3):
            found.put([message(company, sequence)])
    entries = []
    for _ in range(30):
        entries += found.take(known).entries

    assert len(entries) == 30
    for company in companies:
        mine = [e.message.sequence for e in entries if e.message.company == company]
        assert mine == [1, 2, 3]


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_nothing_is_lost_or_doubled_whatever_waits(monkeypatch, limit):
    monkeypatch.setattr(module, "MAX_EVENTS", limit)
    found, got = intake(aa=0), []
    for sequence in range(1, 101):
        found.put([message(A, sequence, ("slow", "order", "user")[sequence % 3])])
        waiting = [("slow",), ("order", "slow"), (), ("user",)][sequence % 4]
        got += sequences(found.take(all_but(*waiting)))
    for _ in range(100):
        got += sequences(found.take(known))

    assert sorted(got) == list(range(1, 101))
    for table in range(3):
        mine = [sequence for sequence in got if sequence % 3 == table]
        assert mine == sorted(mine)
