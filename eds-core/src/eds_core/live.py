"""The live view: how fast, how fresh, how many rows, as one screen of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

if TYPE_CHECKING:
    from .pulse import Pulse

_TABLES_SHOWN = 24


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def view(
    pulse: Pulse, where: str, troubles: Sequence[str] = (), page: str = ""
) -> RenderableType:
    """One frame for one destination; *troubles* say why it is not kept up.

    *page* is the address of the status page.
    """
    told = [Text(each, style="bold red") for each in troubles]
    return Panel(
        Group(_figures(pulse), *told, Text(), _tables(pulse)),
        title=Text(f"EDS {page}".strip()),
        subtitle=Text(where),
        border_style="red" if told else "cyan",
    )


def _figures(pulse: Pulse) -> RenderableType:
    """Side by side where the terminal is wide enough, else one below the other."""
    lost = "red" if pulse.quarantined else ""
    figures = (
        ("events", f"{pulse.events:,}", "bold"),
        ("events/s", f"{pulse.rate:,.0f}", "bold green"),
        ("latency p50", milliseconds(pulse.latency(0.5)), ""),
        ("p99", milliseconds(pulse.latency(0.99)), ""),
        ("behind", f"{pulse.pending:,}", ""),
        ("quarantined", str(pulse.quarantined), lost),
    )
    return Columns(
        [
            Text.assemble((name, "dim"), "\n", (value, style), justify="right")
            for name, value, style in figures
        ],
        padding=(0, 3),
    )


def _tables(pulse: Pulse) -> RenderableType:
    """The tables with most changes, and how many there are besides."""
    busiest = pulse.rows.most_common(_TABLES_SHOWN)
    cells: list[RenderableType] = [
        Text.assemble(
            (f"{count:>6,} ", "bold"), table, no_wrap=True, overflow="ellipsis"
        )
        for table, count in busiest
    ]
    if (more := len(pulse.rows) - len(busiest)) > 0:
        cells.append(Text(f"       and {more} more tables", style="dim", no_wrap=True))
    return Columns(cells, equal=True, expand=True)
