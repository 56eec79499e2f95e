"""Memory and file descriptors of a process over its life, from /proc."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic

SHARE = 10  # a tenth of its life is "start", "middle" or "end"
GROWTH = 1.15  # from the middle to the end; a heap breathes
MORE_DESCRIPTORS = 8  # connections that are made anew overlap for a moment


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process holds at one moment."""

    at: float  # seconds, by no particular clock
    mib: float
    descriptors: int


def sample(pid: int) -> Sample | None:
    """Look at a process; None when it is gone."""
    place = Path(f"/proc/{pid}")
    with suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+) kB", (place / "status").read_text())
        if found is not None:  # a process that has just ended has no memory
            descriptors = len(list((place / "fd").iterdir()))
            return Sample(monotonic(), int(found[1]) / 1024, descriptors)
    return None


@dataclass(slots=True)
class Life:
    """The samples of one process, in order."""

    pid: int
    samples: list[Sample] = field(default_factory=list)

    def look(self) -> None:
        if (found := sample(self.pid)) is not None:
            self.samples.append(found)

    @property
    def seconds(self) -> float:
        return self.samples[-1].at - self.samples[0].at if self.samples else 0.0

    def figures(self) -> dict[str, object]:
        """Start, middle and end; each the median of a tenth of its life."""
        memory = self._parts(lambda some: median(s.mib for s in some))
        descriptors = self._parts(lambda some: median(s.descriptors for s in some))
        return {
            "seconds": round(self.seconds),
            "RSS MiB": [round(value, 1) for value in memory],
            "RSS MiB at most": round(max(s.mib for s in self.samples), 1),
            "descriptors": [round(value) for value in descriptors],
            "descriptors at most": max(s.descriptors for s in self.samples),
            "memory is flat": memory[2] <= memory[1] * GROWTH,
            # As of memory from the middle: at first it is a process that starts.
            "descriptors are flat": descriptors[2] <= descriptors[1] + MORE_DESCRIPTORS,
        }

    def _parts(self, of: Callable[[Sequence[Sample]], float]) -> list[float]:
        count = len(self.samples)
        width = max(1, count // SHARE)
        middle = (count - width) // 2
        starts = (0, middle, count - width)
        return [of(self.samples[start : start + width]) for start in starts]
