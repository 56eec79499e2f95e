"""The guide keeps up with the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


def test_the_guide_mentions_every_option_of_the_server():
    pytest.importorskip("eds_core.cli", reason="the command line is not written yet")
    program = Path(sys.executable).with_name("eds")

    told = subprocess.run(
        [program, "server", "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )

    options = set(OPTION.findall(told.stdout))
    assert "--creds" in options
    assert options - set(OPTION.findall(GUIDE.read_text())) == set()
