"""Named places in EDS's work at which a test can make a fault happen.

They are audit events of Python itself: ``reached("commit.before")`` raises
``eds.commit.before``, which costs next to nothing while nobody listens and cannot be
switched on from outside. A test adds a hook (``sys.addaudithook``) to its own process
that counts them, and dies, waits or raises.
"""

from __future__ import annotations

import sys

#: Each place, and what a crash there must not do.
POINTS = {
    "position.before": "nobody knows where a company begins",
    "position.after": "the first position is committed, nobody has claimed it",
    "claim.before": "whoever had the company still has it",
    "claim.after": "the company is ours, and nothing is done with it",
    "consumer.before": "the position is known, nothing reads yet",
    "consumer.after": "a consumer is left behind that nobody reads",
    "pull.before": "a consumer waits for a pull that never comes",
    "pull.after": "messages are on their way to nobody",
    "decode.before": "a message has come and is not yet looked at",
    "decode.after": "an event is decoded and not yet written",
    "migrate.before": "a table does not fit the batch that waits for it",
    "migrate.begun": "a step of a change is recorded, and not yet done",
    "migrate.step": "a statement has run, its transaction is still open",
    "migrate.recorded": "a step is recorded as done, its transaction is still open",
    "migrate.after": "the table fits, its rows are not written",
    "begin.before": "nothing is open",
    "checkpoint.before": "a transaction is open and empty",
    "checkpoint.after": "the position has moved in it, the rows have not",
    "write.before": "some tables of the batch are written",
    "write.after": "all rows are written, the books are not",
    "quarantine.before": "a bad message is neither applied nor kept",
    "quarantine.after": "it is kept, and nothing is committed",
    "retry.before": "a message is applied and still in the quarantine",
    "retry.after": "it has left the quarantine, and nothing is committed",
    "park.before": "a table at fault is neither written nor parked",
    "park.after": "it is parked, and nothing is committed",
    "resume.before": "a parked table was asked for and is not yet read",
    "resume.after": "a consumer reads it again from where it was parked",
    "unpark.before": "a table has caught up and is still parked",
    "unpark.after": "it is parked no more, and nothing is committed",
    "commit.before": "everything is written and nothing committed",
    "commit.after": "all is committed and nobody was told",
    "apply.begin": "a table that waits is neither changed nor asked for",
    "apply.migrated": "it is changed, and the server does not know that it may go on",
    "apply.asked": "it is asked for, and nothing is committed",
    "apply.done": "a table goes on, the next one that waits does not",
    "import.plan": "an import knows its files and has touched nothing",
    "import.file.before": "a file's table may not be there",
    "import.read": "a chunk is read, the one before it is being written",
    "import.begin": "nothing is open",
    "import.hold": "a transaction is open and nobody knows whose the rows are",
    "import.write.before": "some rows of a chunk are written",
    "import.write.after": "all of its rows are written, the books are not",
    "import.quarantine.before": "broken lines are neither applied nor kept",
    "import.quarantine.after": "they are kept, and nothing is committed",
    "import.progress": "everything is written but how far the file is",
    "import.commit.before": "a chunk and its progress are written, not committed",
    "import.commit.after": "both are committed and nobody was told",
    "import.done": "all rows of a file are in, and it is not said to be done",
    "import.file.after": "a file is said to be done",
    "import.prune.before": "rows that the export lacks are about to go",
    "import.prune.after": "some of them are gone",
    "import.forget.before": "all is in, the files' progress is still kept",
    "import.forget.after": "the progress is forgotten, the claim is not ended",
    "import.release.before": "all is done and the company still waits",
    "import.release.after": "the company is free, the import still runs",
}


def reached(point: str) -> None:
    """Say that the work has come to *point*, one of ``POINTS``."""
    sys.audit("eds." + point)
