"""The live view in terminals of every width."""

from collections import Counter
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from eds_core.live import view

FIGURES = {"events": "123,456", "events/s": "42", "quarantined": "3", "p99": "99.0 ms"}
PULSE = SimpleNamespace(
    events=123_456,
    rate=42.0,
    pending=0,
    quarantined=3,
    rows=Counter({"order": 7, "appointment_user_connection": 2}),
    latency=lambda share: share / 10,
)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_every_figure_and_table_can_be_read_in_a_terminal_of_any_width(width):
    console = Console(width=width, record=True, file=StringIO())

    console.print(view(PULSE, "sqlite:///shop.db"))

    lines = console.export_text().splitlines()
    words = [line.strip("│ ").split() for line in lines]
    told = [" ".join(line) for line in words]
    for name, value in FIGURES.items():
        assert any(name in line for line in told)
        assert any(value in line for line in told)
    assert any("7 order" in line for line in told)
    assert any("2 appointm" in line for line in told)
    assert max(map(len, lines)) <= width
