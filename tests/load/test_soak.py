"""The soak in small: what it is made of works, and it finds nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import servers

TOP = Path(__file__).parents[2]
SMALL = ["--seconds", "20", "--backlog", "5000", "--comparisons", "2", "--pause", "1"]


@pytest.mark.survives(
    "One thing after the other breaks, under load",
    "20 seconds of a soak: 14 kinds of faults at random (PostgreSQL)",
    "it goes on, and all tables are equal",
)
def test_a_short_soak_ends_equal(tmp_path):
    if servers.postgres_programs() is None:
        pytest.skip(servers.NO_POSTGRES)
    report = tmp_path / "soak.json"
    command = [sys.executable, "-m", "bench", "soak", *SMALL, "--json", report]

    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    figures = json.loads(report.read_text())["figures"]
    assert figures["unequal"] == []
    assert figures["faults"]
    assert figures["events"] > 5000
