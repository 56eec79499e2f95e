"""What each error's code means; all of it is in ``codes.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files

import msgspec


class Explanation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happened, why, and what to do."""

    title: str
    what: str
    why: str
    do: str


def explanations() -> Mapping[str, Explanation]:
    """Every code, in order."""
    text = files(__package__).joinpath("codes.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Explanation])


#: The chapters of the page: a code's second character.
_CHAPTERS = {
    "1": "Starting: command line, credentials, drivers",
    "2": "The database",
    "3": "NATS: the stream",
    "4": "Messages",
    "5": "Import",
    "6": "Export",
    "9": "EDS itself",
}
_HEAD = """\
# Troubleshooting

Each error of EDS ends with a code. `eds explain CODE` says the same as this page,
without a network; `eds doctor` looks for what is wrong by itself: see
[Is all well?](diagnosis.md).

<!-- made from eds_core/codes.toml by tests/core/test_codes.py -->
"""


def page() -> str:
    """docs/troubleshooting.md, as it has to be."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    chapter = ""
    for code, each in explanations().items():
        if code[1] != chapter:
            chapter = code[1]
            yield f"## {_CHAPTERS[chapter]}\n"
        yield f"### {code}: {each.title}\n"
        yield f"{each.what}\n"
        yield f"**Why:** {each.why}\n"
        yield f"**What to do:** {each.do}\n"
