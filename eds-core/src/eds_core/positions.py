"""Which companies are ours, under which epoch, and how far each has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .ledger import Checkpoint, Move


@dataclass(slots=True)
class Held:
    """One company's checkpoint as this process knows it."""

    epoch: int
    sequence: int
    time: int


class Positions:
    """The checkpoints this process owns."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}

    def take(self, checkpoint: Checkpoint) -> None:
        """The ledger has given us this company."""
        self.held[checkpoint.company] = Held(
            checkpoint.epoch, checkpoint.sequence, checkpoint.time
        )

    def give_up(self, company: str) -> None:
        self.held.pop(company, None)

    def moves(self, reached: Mapping[str, tuple[int, int]]) -> dict[str, Move]:
        """The steps from where we are to *reached* (sequence and time)."""
        return {
            company: self._move(company, *reached[company])
            for company in self.held
            if company in reached
        }

    def touches(self, companies: Iterable[str]) -> dict[str, Move]:
        """Steps that go nowhere: they only prove that the company is ours."""
        return {
            company: self._move(company, held.sequence, held.time)
            for company in companies
            if (held := self.held.get(company)) is not None
        }

    def renewed(self, moves: Mapping[str, Move]) -> dict[str, Move]:
        """The same steps under the epochs that we hold now."""
        return {
            company: replace(move, epoch=self.held[company].epoch)
            for company, move in moves.items()
        }

    def _move(self, company: str, sequence: int, time: int) -> Move:
        held = self.held[company]
        return Move(
            company,
            held.epoch,
            old=held.sequence,
            new=max(held.sequence, sequence),
            time=max(held.time, time),
        )

    def committed(self, moves: Mapping[str, Move]) -> None:
        """These steps are in the destination now."""
        for company, move in moves.items():
            held = self.held[company]
            held.sequence, held.time = move.new, move.time
