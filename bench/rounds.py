"""What every benchmark has in common: ways that are measured in turn, and ratios.

A round measures each way once, one after the other; the next round begins again. So
what is compared was measured within seconds of each other, and what drifts on the
machine (others at work, a disk that is busy) drifts for both. A ratio is taken within
each round, and its median told; absolute figures are medians over the rounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

PER = 100_000  # events or rows, that CPU seconds are told of


@dataclass(frozen=True, slots=True)
class Run:
    """What one way took, once, for *count* events or rows."""

    count: int
    seconds: float
    #: CPU seconds of each process that took part.
    cpu: Mapping[str, float] = field(default_factory=dict)
    peak_mib: float = 0.0

    @property
    def rate(self) -> float:
        """Events or rows a second."""
        return self.count / self.seconds

    def cpu_per(self, process: str) -> float:
        """CPU seconds of *process* for 100,000 events or rows."""
        return self.cpu[process] * PER / self.count

    def without(self, start: Run) -> Run:
        """This run less what *start*, the same with next to nothing to do, took."""
        cpu = {name: self.cpu[name] - start.cpu[name] for name in self.cpu}
        seconds = max(self.seconds - start.seconds, 0.001)
        return Run(self.count, seconds, cpu, self.peak_mib)


Runs = Mapping[str, Sequence[Run]]
Ways = Mapping[str, Callable[[], Awaitable[Run]]]


async def paired(rounds: int, ways: Ways) -> dict[str, list[Run]]:
    """Measure all *ways* in turn, *rounds* times: A B A B, never A A B B."""
    found: dict[str, list[Run]] = {name: [] for name in ways}
    for number in range(1, rounds + 1):
        for name, way in ways.items():
            run = await way()
            found[name].append(run)
            print(f"  round {number}: {name}: {short(run.rate):,}/s", flush=True)
    return found


def summary(runs: Sequence[Run]) -> dict[str, object]:
    """Medians of *runs*, and each of the rates."""
    found: dict[str, object] = {
        "per second": short(median(run.rate for run in runs)),
        "CPU s/100k": {
            name: short(median(run.cpu_per(name) for run in runs))
            for name in runs[0].cpu
        },
        "each": [short(run.rate) for run in runs],
    }
    if any(run.peak_mib for run in runs):
        found["peak RSS MiB"] = short(median(run.peak_mib for run in runs))
    return found


def ratio(above: Iterable[float], below: Iterable[float]) -> dict[str, object]:
    """The median of the ratios within each round, and each of them."""
    each = [a / b for a, b in zip(above, below, strict=True)]
    return {"median": short(median(each)), "each": [short(one) for one in each]}


def speed_ratio(above: Sequence[Run], below: Sequence[Run]) -> dict[str, object]:
    return ratio((run.rate for run in above), (run.rate for run in below))


def short(number: float) -> float:
    """Three digits are more than a noisy machine is good for."""
    return round(number) if number >= 100 else float(f"{number:.3g}")
