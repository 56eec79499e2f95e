"""What an export no longer has is deleted, and nothing else."""

import asyncio
import json

import pytest

from eds_core.destination import Destination
from eds_core.event import Row, Version
from eds_core.importer.options import ImportOptions
from eds_core.importer.run import Import
from eds_core.ledger import Checkpoint
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.sqlite import SqliteDriver
from eds_driver_postgres import PostgresDriver

SNAPSHOT = Version(1_700_000_000_000_000_000)
OLD, NEW = Version(1_600_000_000_000_000_000), Version(1_700_000_000_000_000_001)
ORDER = TableSchema(
    "order",
    "m",
    tuple(
        Column(n, ColumnType.TEXT) for n in ("id", "companyId", "name", "updatedDate")
    ),
    ("id",),
)


def row(key, version, company="c1"):
    after = json.dumps({"id": key, "companyId": company, "name": key}).encode()
    return Row((key,), version, after)


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request):
    driver = {"sqlite": SqliteDriver, "postgres": PostgresDriver}[request.param]
    shop = Destination(driver(request.getfixturevalue(f"{request.param}_url")))
    shop.open()
    shop.ledger.create()
    for company in ("c1", "c2"):
        shop.ledger.establish(Checkpoint(company, 1, 0, "a", "s", ""))
    shop.migrate(SchemaChange(ORDER, creates=True, adds=ORDER.columns))
    yield shop
    shop.close()


def load(shop, tmp_path, *lines, snapshot=SNAPSHOT, dry_run=False):
    file = tmp_path / "order.json"
    file.write_bytes(b"\n".join(lines))
    options = ImportOptions(
        (file,), shop.driver.url, snapshot=snapshot, prune=True, dry_run=dry_run
    )
    return asyncio.run(Import(options).run()).tally


def keys(shop):
    return [r.key[0] for r in shop.driver.read(ORDER, None, 100)]


def test_prune_leaves_other_companies_and_newer_rows_alone(shop, tmp_path):
    shop.upsert(
        ORDER,
        [
            row("gone", OLD),
            row("here", OLD),
            row("newer", NEW),
            row("of another", OLD, "c2"),
            row("same moment", SNAPSHOT),
        ],
    )
    tally = load(shop, tmp_path, row("here", OLD).after)

    assert tally.errors == []
    assert tally.total().deleted == 1
    assert keys(shop) == ["here", "newer", "of another", "same moment"]


def test_what_was_pruned_stays_deleted_for_what_is_older(shop, tmp_path):
    shop.upsert(ORDER, [row("gone", OLD)])
    load(shop, tmp_path, row("here", OLD).after)
    shop.upsert(ORDER, [row("gone", OLD)])
    assert keys(shop) == ["here"]

    shop.upsert(ORDER, [row("gone", NEW)])
    assert keys(shop) == ["gone", "here"]


def test_nothing_is_pruned_when_a_line_is_broken(shop, tmp_path):
    shop.upsert(ORDER, [row("gone", OLD)])
    tally = load(shop, tmp_path, row("here", OLD).after, b"{broken")

    assert "some of its lines are in the quarantine" in tally.errors[0]
    assert keys(shop) == ["gone", "here"]


def test_nothing_is_pruned_when_the_exports_time_is_not_known(shop, tmp_path):
    shop.upsert(ORDER, [row("gone", OLD)])
    tally = load(shop, tmp_path, row("here", OLD).after, snapshot=None)

    assert "give --snapshot-time" in tally.errors[0]
    assert keys(shop) == ["gone", "here"]


def test_nothing_is_pruned_when_nobody_knows_whose_export_it_is(shop, tmp_path):
    shop.upsert(ORDER, [row("gone", OLD)])
    tally = load(shop, tmp_path, b"")

    assert "which company the export is of" in tally.errors[0]
    assert keys(shop) == ["gone"]


def test_a_dry_run_tells_what_would_be_deleted_and_deletes_nothing(shop, tmp_path):
    shop.upsert(ORDER, [row("gone", OLD), row("here", OLD), row("newer", NEW)])
    tally = load(shop, tmp_path, row("here", OLD).after, dry_run=True)

    assert tally.errors == []
    assert tally.total().deleted == 1
    assert keys(shop) == ["gone", "here", "newer"]


def test_a_dry_run_finds_nothing_to_delete_where_there_is_no_table(shop, tmp_path):
    with shop.driver.session.transaction():
        shop.driver.session.run('DROP TABLE "order"')
    tally = load(shop, tmp_path, row("here", OLD).after, dry_run=True)

    assert tally.errors == []
    assert tally.total().deleted == 0


def test_what_an_old_server_wrote_after_the_export_is_left_alone(shop, tmp_path):
    """It has no version, and is as old as it tells of itself."""
    shop.upsert(ORDER, [row("gone", OLD), row("after", OLD), row("says nothing", OLD)])
    with shop.driver.session.transaction():
        shop.driver.session.run('UPDATE "order" SET _eds_version = NULL')
        for key, moment in (("gone", "2023-11-14"), ("after", "2023-11-15")):
            shop.driver.session.run(
                f'UPDATE "order" SET "updatedDate" = \'{moment}T00:00:00Z\' '
                f"WHERE id = '{key}'"
            )
    tally = load(shop, tmp_path, row("here", OLD).after)

    assert tally.errors == []
    assert keys(shop) == ["after", "here"]
