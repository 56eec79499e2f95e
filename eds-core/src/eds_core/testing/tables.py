"""Reports of the kit as Markdown tables, so that the documentation cannot lie. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eds_core.schema import ColumnType

from .matrix import CASES
from .report import PARTS

Report = Mapping[str, Any]

_TITLE = """\
# Support matrix

What the conformance kit found, driver by driver. This page is made from the reports
in `docs/conformance`, and they are made by running the kit: `nox -s conformance`.
"""

#: Of a type as it is declared, what is no part of the type.
_COMMENT = re.compile(r" (/\*.*?\*/|COMMENT '[^']*')")

_TYPES: Mapping[ColumnType, str] = {
    ColumnType.TEXT: "text",
    ColumnType.INTEGER: "integer",
    ColumnType.NUMBER: "number",
    ColumnType.DECIMAL: "decimal",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TIMESTAMP: "point in time",
    ColumnType.DATETIME: "date and time",
    ColumnType.JSON: "JSON",
    ColumnType.BYTES: "bytes",
}


def support_matrix(reports: Sequence[Report]) -> str:
    """The whole page."""
    parts = [
        _TITLE,
        _table(["", *_titles(reports)], _overview(reports)),
        "Figures are tests: those that hold, of those that apply.\n",
        _not_run(reports),
        _section("Types", _table(["the shop's", *_titles(reports)], _types(reports))),
        _section("Values", _values([r for r in reports if r["tested_on"]])),
        _section("What does not apply, and why", _opt_outs(reports)),
    ]
    return "\n".join(part for part in parts if part)


def _titles(reports: Iterable[Report]) -> list[str]:
    """The drivers' titles; what is tested twice is told apart by its name."""
    every = list(reports)
    seen = Counter(report["title"] for report in every)
    return [
        f"{r['title']} ({r['name']})" if seen[r["title"]] > 1 else r["title"]
        for r in every
    ]


def _overview(reports: Sequence[Report]) -> list[list[str]]:
    schemes = [[f"`{s}://`" for s in r["schemes"]] or ["none"] for r in reports]
    transactions = [
        "yes" if r["capabilities"]["transactions"] else "no: at least once"
        for r in reports
    ]
    return [
        ["URL", *(" ".join(each) for each in schemes)],
        ["tested on", *(r["tested_on"] or "nothing yet" for r in reports)],
        ["rows and position in one transaction", *transactions],
        *(
            [told, *(_held(r["parts"].get(part, {})) for r in reports)]
            for part, told in PARTS.items()
        ),
    ]


def _held(tests: Mapping[str, Sequence[str]]) -> str:
    outcomes = Counter(outcome for outcome, _ in tests.values())
    applied = outcomes["passed"] + outcomes["failed"] + outcomes["not run"]
    if applied == outcomes["not run"]:
        return "not run" if applied else "does not apply"
    return f"{outcomes['passed']} of {applied}"


def _not_run(reports: Iterable[Report]) -> str:
    """Say whose column is a promise only."""
    return "".join(
        f"**{title} was not run on a database here.** Of its values nothing is known.\n"
        for title in _titles(each for each in reports if not each["tested_on"])
    )


def _types(reports: Sequence[Report]) -> list[list[str]]:
    return [
        [told, *(_type(report, kind) for report in reports)]
        for kind, told in _TYPES.items()
    ]


def _type(report: Report, kind: ColumnType) -> str:
    plain: str
    plain, in_key = report["types"].get(str(kind), ["", ""])
    if not report["sql"]:
        return plain
    plain, in_key = (_COMMENT.sub("", told) for told in (plain, in_key))
    return f"`{plain}`" if plain == in_key else f"`{plain}`, in a key `{in_key}`"


def _values(reports: Sequence[Report]) -> str:
    labels = [case.label for case in CASES]
    odd = [label for label in labels if any(label in r["deviations"] for r in reports)]
    same = [case for case in CASES if case.label not in odd]
    exact = sum(case.expected == "exact" for case in same)
    rows = [[label, *(_outcome(report, label) for report in reports)] for label in odd]
    return (
        f"Of {len(CASES)} values, {exact} are stored exactly by every driver, and "
        f"{len(same) - exact} are rejected by every driver, as they fit no such "
        "column. The others:\n\n" + _table(["value", *_titles(reports)], rows)
    )


def _outcome(report: Report, label: str) -> str:
    found: str = report["values"].get(label, "not run")
    words = report["deviations"].get(label)
    return f"{found}: {words[1]}" if words else found


def _opt_outs(reports: Sequence[Report]) -> str:
    lines = []
    for title, report in zip(_titles(reports), reports, strict=True):
        reasons: dict[str, list[str]] = {}
        for tests in report["parts"].values():
            for test, (outcome, reason) in tests.items():
                if outcome == "skipped":
                    reasons.setdefault(reason, []).append(test)
        for name, reason in report["skips"].items():  # also rules, and single cases
            if name not in reasons.setdefault(reason, []):
                reasons[reason].append(name)
        lines += [
            f"* {_about(title, reason)} ({_counted(tests)})"
            for reason, tests in sorted(reasons.items())
        ]
    return "\n".join(lines) + "\n"


def _about(title: str, reason: str) -> str:
    return reason if reason.startswith(title) else f"{title}: {reason}"


def _counted(tests: Sequence[str]) -> str:
    return f"`{tests[0]}`" if len(tests) == 1 else f"{len(tests)} tests"


def type_mapping(report: Report) -> str:
    """A driver's own table of types, for its README."""
    rows = [
        [told, _type(report, kind), _notes(report, kind)]
        for kind, told in _TYPES.items()
    ]
    return _table(["the shop's", "here", "what is not stored exactly"], rows)


def _notes(report: Report, kind: ColumnType) -> str:
    """What is done with odd values of a type; alike ones in one breath."""
    told: dict[str, dict[str, None]] = {}
    for label, (outcome, words) in report["deviations"].items():
        of, _, name = label.partition(": ")
        if of == kind and outcome != "exact":
            what = f"rejected, {words}" if outcome == "rejected" else words
            told.setdefault(what, {})[name.removesuffix(", as text")] = None
    return "; ".join(f"{' / '.join(names)}: {what}" for what, names in told.items())


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
