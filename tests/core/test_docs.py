"""The guide keeps up with the command line, the READMEs with their drivers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eds_core.sql.books import Books
from eds_driver_mysql import connecting as mysql
from eds_driver_snowflake import address as snowflake
from eds_driver_sqlserver import address as sqlserver

TOP = Path(__file__).parents[2]
DRIVERS = sorted(TOP.glob("eds-driver-*"))
GUIDE = TOP / "docs" / "guide.md"
KIT = TOP / "eds-core" / "src" / "eds_core" / "testing" / "layers"
RULES = TOP / "docs" / "rules.md"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


@pytest.mark.parametrize(
    ("command", "one"),
    [("server", "--creds"), ("export", "--api-url"), ("tables", "--json")],
)
def test_the_guide_mentions_every_option(command, one):
    program = Path(sys.executable).with_name("eds")

    told = subprocess.run(
        [program, command, "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )

    options = set(OPTION.findall(told.stdout))
    assert one in options
    assert options - set(OPTION.findall(GUIDE.read_text())) == set()


@pytest.mark.parametrize(
    ("driver", "parameters"),
    [
        ("mysql", mysql.KNOWN),
        ("snowflake", snowflake.KNOWN),
        ("sqlserver", sqlserver.KNOWN),
    ],
)
def test_a_drivers_readme_names_every_parameter(driver, parameters):
    readme = (TOP / f"eds-driver-{driver}" / "README.md").read_text()
    code = re.findall(r"`([^`\n]+)`", readme)

    named = {re.sub(r"_|=.*", "", name) for name in code}

    assert {name.replace("_", "") for name in parameters} - named == set()


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda path: path.name)
def test_a_drivers_readme_has_all_that_its_users_need(driver):
    readme = (driver / "README.md").read_text()

    headings = re.findall(r"^## (.+)$", readme, re.MULTILINE)

    wanted = ["The URL", "Privileges", "Types", "Limits"]
    assert [each for each in headings if each in wanted] == wanted
    assert headings[-1] in {"Tested with", "What was tested on what"}
    assert "<!-- conformance: types -->" in readme
    assert "GRANT " in readme


def test_every_rule_names_tests_that_exist():
    files = [*TOP.joinpath("tests").rglob("test_*.py"), *KIT.glob("*.py")]
    there = set(
        re.findall(r"^ *def (test_\w+)", "".join(map(_text, files)), re.MULTILINE)
    )

    named = set(re.findall(r"`(test_\w+)`", RULES.read_text()))

    assert len(named) > 50
    assert named - there == set()


@pytest.mark.parametrize("page", ["README.md", "docs/how-it-works.md"])
def test_every_table_of_ours_is_told_of(page):
    """Whoever finds one in his database has to be able to look it up."""
    told = set(re.findall(r"`(_eds_\w+)`", (TOP / page).read_text()))

    assert {table.name for table in Books().all} - told == set()


def _text(path):
    return path.read_text()
