"""What each promise costs: EDS catches up without it, beside EDS as it is.

On PostgreSQL, with the stream of `stream`. What is left out is left out of a running
server by a change of its code, for this only. (The checkpoint and the fence of the
epoch cannot be left out of a stream. They are one statement for each batch, and
`driver` has inserts with and without it.)
"""

from __future__ import annotations

import argparse

from bench import stream
from bench.tuning import compare

_STATEMENT = """
import re
from eds_driver_postgres import statements
whole = statements._insert

def without(*args, **more):
    text = whole(*args, **more)
    found = re.sub({found!r}, {put!r}, text)
    assert found != text, text
    return found

statements._insert = without
"""
GUARD = _STATEMENT.format(found=r" WHERE t\.[^()]+$", put="")
TOMBSTONES = _STATEMENT.format(
    found=r"NOT EXISTS \(.*\) ON CONFLICT", put="%s::text IS NOT NULL ON CONFLICT"
)
KEYS = """
from eds_core.work import KeyReader
assert KeyReader.check
KeyReader.check = lambda self, key, after: None
"""
CHANGES = {
    "without the guard of versions": GUARD,
    "without a look at tombstones": TOMBSTONES,
    "without the check of keys": KEYS,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    stream.add_options(parser)


async def run(options: argparse.Namespace) -> None:
    await compare("costs", CHANGES, options)
