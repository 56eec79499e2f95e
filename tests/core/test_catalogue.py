"""The tables of the guide, by group, and names that are nearly right."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from eds_core.catalogue import all_tables, near_matches, table_groups
from eds_core.cli import main
from eds_core.sandbox import load_models


def test_the_catalogue_and_the_sandbox_have_the_same_tables():
    assert sorted(load_models()) == sorted(all_tables())


def test_every_table_is_in_one_group():
    assert len(all_tables()) == len(set(all_tables())) == 71
    assert len(table_groups()) == 13
    assert table_groups()["Labels"] == ["label", "saved_label"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lable", "label"),
        ("orders", "order"),
        ("Purchase Orders", "purchase_order"),
        ("canned-service", "canned_service"),
        ("signed", "order_signed_invoice"),
    ],
)
def test_the_nearest_table_comes_first(written, meant):
    assert near_matches(written, all_tables())[0] == meant


def test_nothing_is_near_to_nonsense():
    assert near_matches("zzzzqqq", all_tables()) == []


def test_tables_lists_them_by_group():
    told = CliRunner().invoke(main, ["tables"])

    assert told.exit_code == 0
    assert "\nLabels\n  label\n  saved_label\n\nLabors\n" in told.output
    assert len(told.output.split("\n  ")) == 72


def test_tables_can_be_read_by_a_program():
    told = CliRunner().invoke(main, ["tables", "--json"])

    assert told.exit_code == 0
    assert json.loads(told.output) == table_groups()
