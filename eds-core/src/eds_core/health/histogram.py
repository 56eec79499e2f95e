"""Counts of values by size, as Prometheus wants them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence


class Histogram:
    """How many values there were up to each of *bounds*, and their sum."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._counts = [0] * (len(self.bounds) + 1)  # of each interval, not cumulated

    def add(self, ordered: Sequence[float]) -> None:
        """Count values that are given in rising order."""
        before = 0
        for index, bound in enumerate(self.bounds):
            upto = bisect_right(ordered, bound)
            self._counts[index] += upto - before
            before = upto
        self._counts[-1] += len(ordered) - before
        self.sum += sum(ordered)

    def cumulated(self) -> list[tuple[str, float]]:
        """Each bound as text, and how many values were no greater."""
        bounds = [*map(str, map(float, self.bounds)), "+Inf"]
        total, pairs = 0, []
        for bound, count in zip(bounds, self._counts, strict=True):
            total += count
            pairs.append((bound, float(total)))
        return pairs

    def within(self, share: float, before: Histogram) -> str:
        """The bound that *share* of the values since *before* did not exceed.

        Empty when there were none.
        """
        counts = [n - m for n, m in zip(self._counts, before._counts, strict=True)]
        reached, wanted = 0, share * sum(counts)
        if not wanted:
            return ""
        for bound, count in zip(self.bounds, counts, strict=False):
            reached += count
            if reached >= wanted:
                return f"within {bound:g} s"
        return f"more than {self.bounds[-1]:g} s"

    def copy(self) -> Histogram:
        other = Histogram(self.bounds)
        other.sum, other._counts = self.sum, [*self._counts]
        return other
