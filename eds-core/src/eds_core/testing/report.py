"""What a run of the kit found out, as JSON: the source of the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

from eds_core.destination import DRIVERS
from eds_core.driver import Driver
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql import SqlDriver

from .suite import Suite

FORMAT = 1
#: The parts of the kit in the order in which they run, by module.
PARTS: Mapping[str, str] = {
    "static": "static: the class alone",
    "golden": "golden: its SQL",
    "contract": "contract: rows",
    "shapes": "contract: keys, tables and batches of every shape",
    "migrating": "contract: migrating",
    "ledger": "contract: position",
    "quarantine": "contract: quarantine, table states",
    "adopting": "contract: tables of others",
    "values": "values",
    "model": "model: made-up histories",
    "faults": "faults",
    "speed": "speed",
}
#: What differs from run to run, and is not for the documentation.
MEASURED = "measured"

#: What may become of a test; of one that was not run there was no database.
_WORST_LAST = ("", "not run", "skipped", "passed", "failed")


@dataclass
class Record:
    """What became of one suite's tests."""

    suite: type[Suite]
    tested_on: str = ""
    #: By part and test (without parameters): outcome, and the reason of a skip.
    tests: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    speed: dict[str, int] = field(default_factory=dict)

    def add(self, part: str, test: str, outcome: str, reason: str = "") -> None:
        """Of a test's many parameters, the worst outcome counts."""
        tests = self.tests.setdefault(part, {})
        known = tests.get(test, ("", ""))
        if _WORST_LAST.index(outcome) > _WORST_LAST.index(known[0]):
            tests[test] = (outcome, reason)

    @property
    def failed(self) -> dict[str, int]:
        """How many tests failed, by layer; a layer where none did is left out."""
        found = {
            part: sum(outcome == "failed" for outcome, _ in tests.values())
            for part, tests in self.tests.items()
        }
        return {part: count for part, count in found.items() if count}

    def note(self, name: str, told: Any) -> None:
        """Take what a test tells by pytest's ``record_property``."""
        if name == "value":
            self.values[told[0]] = told[1]
        elif name == "speed":
            self.speed[told[0]] = told[1]

    def as_json(self) -> dict[str, Any]:
        driver = self.suite.driver_class()
        return {
            "format": FORMAT,
            "eds_core": version("eds-core"),
            "name": self.suite.title(),
            "title": driver.title,
            "schemes": _schemes(driver),
            "tested_on": self.tested_on,
            "capabilities": {
                "transactions": driver.capabilities.transactions,
                "max_rows": driver.capabilities.max_rows,
            },
            "documented": self.suite.documented,
            "sql": issubclass(driver, SqlDriver),
            "types": types_of(self.suite),
            "deviations": deviations_of(self.suite),
            "skips": dict(self.suite.skips),
            "parts": self._parts(),
            "values": dict(sorted(self.values.items())),
            MEASURED: {"rows per second": self.speed},
        }

    def _parts(self) -> dict[str, dict[str, list[str]]]:
        order = [*PARTS]
        parts = sorted(self.tests, key=order.index)
        return {
            part: {
                test: list(found) for test, found in sorted(self.tests[part].items())
            }
            for part in parts
        }


def _schemes(driver: type[Driver]) -> list[str]:
    """The schemes that lead to *driver*; only its own distribution is imported."""
    place = f"{driver.__module__}:{driver.__name__}"
    package = driver.__module__.partition(".")[0]
    return sorted(
        entry.name
        for entry in entry_points(group=DRIVERS)
        if entry.value == place
        or (entry.module.startswith(package) and entry.load() is driver)
    )


def types_of(suite: type[Suite]) -> dict[str, list[str]]:
    """Each type's name in this database, and its name where it is the whole key."""
    driver = suite.driver_class()
    if not issubclass(driver, SqlDriver):
        return {str(kind): [told, told] for kind, told in suite.stored_as.items()}
    one = driver(driver.example_url)
    return {str(kind): _spelled(one, kind) for kind in ColumnType}


def _spelled(driver: SqlDriver, kind: ColumnType) -> list[str]:
    key, value = Column("key", kind), Column("value", kind)
    table = TableSchema("thing", "1", (key, value), ("key",))
    return [driver.spelled(value, table), driver.spelled(key, table)]


def deviations_of(suite: type[Suite]) -> dict[str, list[str]]:
    return {
        label: [str(found.outcome), found.words]
        for label, found in suite.values.items()
    }


def save(path: Path, records: list[Record]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, [record.as_json() for record in records])


def write(path: Path, reports: list[dict[str, Any]]) -> None:
    text = json.dumps(reports, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def load(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for report in found:
        if report.get("format") != FORMAT:
            raise ValueError(f"{path} is not a report of this version of the kit")
    return found


def is_whole(report: Mapping[str, Any]) -> bool:
    """Whether the whole suite was asked for, and not some of its layers."""
    asked = {"contract", "values", "model"}
    return asked.issubset(report["parts"])


def touched_a_database(report: Mapping[str, Any]) -> bool:
    """Whether the whole suite ran, or was skipped for want of a database."""
    return bool(report["tested_on"]) and is_whole(report)
