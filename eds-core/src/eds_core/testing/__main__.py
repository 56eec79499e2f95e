"""``python -m eds_core.testing``: reports of the kit into documentation.

::

    python -m eds_core.testing matrix docs/conformance docs/support-matrix.md NEW...
    python -m eds_core.testing types README.md REPORT

``matrix`` keeps the NEW reports in the directory, without what was measured, and
makes the page from all that are there. ``types`` puts the table of types between
the marks of a README.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .report import MEASURED, is_whole, load, touched_a_database, write
from .tables import support_matrix, type_mapping

BEGIN, END = "<!-- conformance: types -->", "<!-- conformance: end -->"


def keep(place: Path, new: list[Path]) -> list[str]:
    """Put reports of whole suites into *place*; say which were left out.

    One that met no database is kept where there is none that did.
    """
    place.mkdir(parents=True, exist_ok=True)
    left_out = []
    for report in [report for path in new for report in load(path)]:
        if not report["documented"]:
            continue
        there = place / f"{report['name']}.json"
        if is_better(report, load(there) if there.exists() else []):
            lasting = {k: v for k, v in report.items() if k != MEASURED}
            write(there, [lasting])
        else:
            left_out.append(str(report["name"]))
    return left_out


def is_better(report: dict[str, Any], last: list[dict[str, Any]]) -> bool:
    if touched_a_database(report):
        return True
    return is_whole(report) and not any(map(touched_a_database, last))


def kept(place: Path) -> list[dict[str, Any]]:
    return [report for path in sorted(place.glob("*.json")) for report in load(path)]


def with_types(readme: str, table: str) -> str:
    """Return *readme* with *table* between the marks. Raises ValueError."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}{END}{after}"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["matrix", place, page, *new]:
            left_out = keep(Path(place), [Path(path) for path in new])
            Path(page).write_text(support_matrix(kept(Path(place))), encoding="utf-8")
            for name in left_out:
                sys.stderr.write(
                    f"{name}: not run on a database, its last report stays\n"
                )
        case ["types", readme, report]:
            (found,) = load(Path(report))
            text = Path(readme).read_text(encoding="utf-8")
            new_text = with_types(text, type_mapping(found))
            Path(readme).write_text(new_text, encoding="utf-8")
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
