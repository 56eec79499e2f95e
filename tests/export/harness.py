"""A shop behind a real export API, and what an export from it has to be."""

import gzip
import itertools
import json
import logging
import zipfile
from contextlib import contextmanager

from eds_core.export import ApiKey, ExportOptions, export
from eds_core.sandbox import COMPANY, Shop
from eds_core.sandbox.export_api import KEY, ExportApi

START = 1_741_000_000_000_000_000


class Watch:
    """A progress that remembers."""

    def __init__(self):
        self.done = []
        self.complete = []

    def moved(self, name, done, total):
        self.done.append((name, done, total))

    def finished(self, name):
        self.complete.append(name)


def shop_with(events=600):
    ticks = itertools.count(START, 1_234_567)
    shop = Shop(1, [COMPANY], clock=lambda: next(ticks))
    for _ in itertools.islice(shop, events):
        pass
    return shop


@contextmanager
def serving(directory, shop=None, **options):
    """The API of *shop*; its files lie in *directory*."""
    shop = shop or shop_with()
    moments = itertools.count(START + 10**15, 10**9)
    with ExportApi(
        lambda: (shop.state(), next(moments)), directory / "service", **options
    ) as api:
        api.shop = shop
        yield api


def export_from(api, directory, *tables, key=KEY, progress=None, **options):
    """Run an export into *directory*."""
    return export(
        ExportOptions(api.url, directory, tables, **options),
        ApiKey(key),
        progress or Watch(),
    )


def rows(path):
    """The rows of a downloaded file, in their order."""
    with gzip.open(path) as file:
        return [json.loads(line) for line in file]


def zipped_rows(path):
    """The rows of each member of a downloaded zip, by name."""
    with zipfile.ZipFile(path) as archive:
        return {
            name: [
                json.loads(line)
                for line in gzip.decompress(archive.read(name)).splitlines()
            ]
            for name in archive.namelist()
        }


def expected(api, table):
    """What the shop has in *table*, as JSON reads it."""
    return [json.loads(json.dumps(row, default=float)) for row in _rows(api, table)]


def _rows(api, table):
    return api.shop.state().get(table, {}).values()


def requests(api, method, path):
    return [a for a in api.asked if (a.method, a.path) == (method, path)]


def downloads(api):
    return [asked for asked in api.asked if asked.path.startswith("/files/")]


@contextmanager
def log_of(caplog):
    """The records of the ``eds`` loggers, whatever earlier tests have set up."""
    logger = logging.getLogger("eds")
    logger.addHandler(caplog.handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        yield caplog
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(level)
