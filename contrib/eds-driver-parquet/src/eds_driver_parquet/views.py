"""The readers' rule as SQL for DuckDB. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .files import ADDED, PARTITION


def latest(files: str, key: Sequence[str]) -> str:
    """Return the query for a table's rows as they are now.

    *files* is the pattern of its files, *key* its key columns.
    """
    added = ", ".join((PARTITION, *ADDED))
    return f"""\
SELECT * EXCLUDE ({added})
FROM read_parquet('{files.replace("'", "''")}', union_by_name = true)
QUALIFY NOT _eds_deleted AND row_number() OVER (
    PARTITION BY {", ".join(map(_quoted, key))}
    ORDER BY _eds_version DESC, _eds_order DESC
) = 1
"""  # noqa: S608 - quoted, and for people to run


def _quoted(name: str) -> str:
    return f'"{name}"'
