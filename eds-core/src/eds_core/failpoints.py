"""Named places in the work of a server at which a test can make a fault happen.

They are audit events of Python itself: ``reached("commit.before")`` raises
``eds.commit.before``, which costs next to nothing while nobody listens and cannot be
switched on from outside. A test adds a hook (``sys.addaudithook``) to its own process
that counts them, and dies, waits or raises.
"""

from __future__ import annotations

import sys

#: Each place, and what a crash there must not do.
POINTS = {
    "consumer.before": "the position is known, nothing reads yet",
    "consumer.after": "a consumer is left behind that nobody reads",
    "pull.before": "a consumer waits for a pull that never comes",
    "pull.after": "messages are on their way to nobody",
    "decode.before": "a message has come and is not yet looked at",
    "decode.after": "an event is decoded and not yet written",
    "migrate.before": "a table does not fit the batch that waits for it",
    "migrate.step": "a statement has run, its transaction is still open",
    "migrate.after": "the table fits, its rows are not written",
    "begin.before": "nothing is open",
    "checkpoint.before": "a transaction is open and empty",
    "checkpoint.after": "the position has moved in it, the rows have not",
    "write.before": "some tables of the batch are written",
    "write.after": "all rows are written, the books are not",
    "quarantine.before": "a bad message is neither applied nor kept",
    "park.before": "a table at fault is neither written nor parked",
    "commit.before": "everything is written and nothing committed",
    "commit.after": "all is committed and nobody was told",
}


def reached(point: str) -> None:
    """Say that the work has come to *point*, one of ``POINTS``."""
    sys.audit("eds." + point)
