"""What was found when something was looked at: for people, and for programs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from .errors import EdsError


class Verdict(StrEnum):
    """How a thing is; what is WRONG needs a person."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Holds no secret and no row."""

    about: str  # what was looked at, in one or two words
    told: str  # what was found, in one sentence
    verdict: Verdict = Verdict.OK
    why: str = ""  # why it matters
    advice: str = ""  # what to do about it, in words
    paste: str = ""  # the exact statement or command that does it
    code: str = ""  # of the error, for `eds explain`

    def as_dict(self) -> dict[str, str]:
        """Return what is said, by name; empty words are left out."""
        return {name: str(value) for name, value in asdict(self).items() if value}


Check = Callable[[], Iterable[Finding]]


def looked(checks: Mapping[str, Check]) -> Iterator[Finding]:
    """Make each check; one that cannot be made says so, and keeps no other."""
    for about, check in checks.items():
        try:
            yield from check()
        except EdsError as error:
            told = f"cannot be looked at: {error}"
            yield Finding(about, told, Verdict.NOTE, advice=error.advice)


def wrong(about: str, error: EdsError, why: str) -> Finding:
    """An error as a finding."""
    return Finding(about, str(error), Verdict.WRONG, why, error.advice, code=error.code)
