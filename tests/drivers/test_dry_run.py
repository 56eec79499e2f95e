"""A dry run remembers what it would have done, and does nothing."""

from __future__ import annotations

from eds_core.destination import Destination
from eds_core.dryrun import DryRun
from eds_core.schema import ColumnType


def test_a_table_that_would_have_grown_is_told_once(shop, table_of):
    old = table_of("order", a=ColumnType.INTEGER)
    new = table_of("order", a=ColumnType.TEXT, b=ColumnType.TEXT)
    dry = Destination(DryRun(shop.driver.url, type(shop.driver)))
    dry.open()
    told = [str(dry.prepare(table)) for table in (old, new, old, new)]
    dry.close()

    assert told == [
        "create table order",
        "alter table order: add b text, widen a to text",
        "None",
        "None",
    ]
    assert shop.driver.columns("order") == {}
