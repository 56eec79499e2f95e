"""A driver that is half made is told what to mend first, and where it is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eds_core.sql import SqlDriver
from eds_core.sql.dialect import SqlDialect
from eds_core.testing.guide import PAGE, STEPS
from eds_core.testing.report import PARTS

TOP = Path(__file__).parents[2]
TEXT = (TOP / PAGE).read_text(encoding="utf-8")
TEMPLATES = TOP / "eds-core/src/eds_core/cli/templates"

SUITE = """
from eds_core import ColumnType
from eds_core.sql import Fault, SqlDriver
from eds_core.sqlite import SqliteDriver
from eds_core.testing import DriverConformance
from half_made import FooDriver

class HalfMade(FooDriver):
    "Foo, in the making."
    {broken}

class TestMine(DriverConformance):
    driver = HalfMade
    url = {url!r}
    embedded = True
    refused_widenings = {{"number to decimal": "none", "bytes to text": "none"}}
    max_examples = 2
"""

#: What is wrong with a driver in the making, and the layer that says so first.
BROKEN = {
    'drivername = "nonsense+none"': "static",
    "types = {**FooDriver.types, ColumnType.JSON: 'TEXT'}": "static",
    "connect_args = {'no_such_argument': 1}": "contract",
    "begin = 'BEGIN NOW'": "contract",
    "def version_value(self, version): return 'same'": "contract",
    "key_types = {ColumnType.TEXT: 'VARCHAR(99) COLLATE NOCASE'}": "shapes",
    "widening = SqlDriver.widening": "migrating",
    "def read_fault(self, error): return Fault('HY000', 'it failed')": "migrating",
}


@pytest.mark.parametrize(("broken", "layer"), BROKEN.items())
def test_the_first_failure_names_the_step_and_the_section(
    pytester, tmp_path, broken, layer
):
    template = (TEMPLATES / "sql/src/PACKAGE/driver.py.tmpl").read_text()
    words = {"class": "FooDriver", "title": "Foo", "scheme": "foo", "contract": "1"}
    for name, word in words.items():
        template = template.replace(f"${{{name}}}", word).replace(f"${name}", word)
    pytester.makepyfile(half_made=template)
    url = f"foo:///{tmp_path}/shop.db"
    pytester.makepyfile(test_mine=SUITE.format(broken=broken, url=url))
    layers = [f"--conformance-layer={name}" for name in STEPS if name != "golden"]

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-qx", *layers)

    step, _ = STEPS[layer]
    result.stdout.fnmatch_lines(
        [f"conformance of mine: mend `{layer}` first *step {step}: *{PAGE}, *"]
    )


def test_every_layer_has_a_step_and_every_step_its_section():
    assert STEPS.keys() == PARTS.keys()
    for layer, (step, _) in STEPS.items():
        assert re.search(rf"^### Step {step}: .*`{layer}`", TEXT, re.MULTILINE), layer


def test_the_steps_of_a_new_driver_are_those_of_the_kit():
    rows = (TEMPLATES / "sql/README.md.tmpl").read_text()
    table = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", rows, re.MULTILINE)
    found = {
        layer: int(step) for step, at in table for layer in re.findall(r"`(\w+)`", at)
    }

    assert found == {layer: step for layer, (step, _) in STEPS.items()}


def test_every_setting_of_a_dialect_is_described():
    settings = {name for name in SqlDialect.__annotations__ if not name.startswith("_")}

    assert settings - set(re.findall(r"^\| `(\w+)`", TEXT, re.MULTILINE)) == set()
    assert issubclass(SqlDriver, SqlDialect)


def test_a_failure_shows_what_the_database_said(pytester, tmp_path):
    pytester.makepyfile(
        test_mine=f"""
from eds_core.sqlite import SqliteDriver
from eds_core.testing import DriverConformance

class TestMine(DriverConformance):
    driver = SqliteDriver
    url = "sqlite:///{tmp_path}/shop.db"

    def test_mine(self, shop):
        with shop.sql.session.reading():
            shop.sql.session.run("SELECT 'secret' FROM nowhere")
"""
    )

    result = pytester.runpytest_inprocess("-k", "test_mine", "-q")

    result.stdout.fnmatch_lines(
        ["E *the database's own words: OperationalError*nowhere*"]
    )
