"""What may become of a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    EXACT = "exact"
    REPLACED = "replaced"  # by something that the documentation names
    REJECTED = "rejected"  # the row goes into quarantine


@dataclass(frozen=True, slots=True)
class Deviation:
    """What a driver does with a value otherwise than all the others."""

    outcome: Outcome
    words: str  # for the documentation
    stored: object = None  # what is read back, where it is replaced


def replaced(words: str, stored: object) -> Deviation:
    """The value is stored as *stored*; *words* say why, for people."""
    return Deviation(Outcome.REPLACED, words, stored)


def rejected(words: str) -> Deviation:
    """The row is rejected; *words* say why, for people."""
    return Deviation(Outcome.REJECTED, words)


def kept(words: str) -> Deviation:
    """The value is stored exactly where others reject it."""
    return Deviation(Outcome.EXACT, words)
