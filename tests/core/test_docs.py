"""The guide keeps up with the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
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


def test_every_rule_names_tests_that_exist():
    files = [*TOP.joinpath("tests").rglob("test_*.py"), *KIT.glob("*.py")]
    there = set(
        re.findall(r"^ *def (test_\w+)", "".join(map(_text, files)), re.MULTILINE)
    )

    named = set(re.findall(r"`(test_\w+)`", RULES.read_text()))

    assert len(named) > 50
    assert named - there == set()


def _text(path):
    return path.read_text()
