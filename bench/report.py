"""Tables for people, JSON for comparing runs later."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least *share* of *values* do not exceed."""
    ordered = sorted(values)
    place = -(-len(ordered) * int(share * 1000) // 1000)
    return ordered[max(0, place - 1)]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns side by side; the first is text, the others are figures."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )


def write(name: str, figures: Mapping[str, object]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    name = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    return write_to(RESULTS / name, figures)


def write_to(path: Path, figures: Mapping[str, object]) -> Path:
    about = {"python": platform.python_version(), "machine": platform.platform()}
    path.write_text(json.dumps({**about, **figures}, indent=2) + "\n")
    return path
