"""The fenced blocks of the pages, and what no test runs of them."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from eds_core.cli.main import with_command

TOP = Path(__file__).parents[2]
LIST = TOP / "docs" / "testing.md"
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PROMPT = re.compile(r"[$#] ")
LASTING = {"server", "demo"}


def tracked(*patterns):
    """What git knows of this tree, or would know with the next commit."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True)
    names = sorted(listed.stdout.decode().splitlines())
    return [TOP / name for name in names if (TOP / name).is_file()]


PAGES = [
    page
    for page in tracked("*.md")
    if page.name != "CHANGELOG.md" and page.parent.name != "changes"
]


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    mark: str  # the comment in front of it
    text: str

    @property
    def where(self):
        return f"{self.page.relative_to(TOP)}:{self.line}"

    @property
    def commands(self):
        """Each as one text. With prompts, lines without one are a program's output."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if PROMPT.match(self.text):
            return [line[2:] for line in lines if PROMPT.match(line)]
        return lines


def blocks(page, *kinds):
    """Those of *kinds*, in the order of the *page*."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        if found["kind"] in kinds:
            line = text.count("\n", 0, found.start("text"))
            yield Block(page, line, found["kind"], found["mark"] or "", found["text"])


def commands(page):
    """The page's command lines, each with its block."""
    for block in blocks(page, "console", "bash", "sh"):
        for command in block.commands:
            yield block, command


def not_run():
    """What the list in the docs names: the beginning of a command, or a part of it."""
    section = LIST.read_text().partition("## Commands that no test runs")[2]
    return re.findall(r"^\| `([^`]+)` \|", section.partition("\n## ")[0], re.MULTILINE)


def is_run(block, text):
    place = str(block.page.relative_to(TOP))
    return not any(part in text or place == part for part in not_run())


def programs(command):
    """The words of each program that a command line starts."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words, tokens = [], iter([*lexer, ";"])
    for token in tokens:
        if ">" in token or "<" in token:
            next(tokens)  # a file
        elif set(token) - set("();|&"):
            words.append(token)
        elif words:
            yield [*dropwhile(re.compile(r"[A-Z_]+=").match, words)]
            words = []


def eds(command):
    """The words behind `eds` or `eds-server`, of each time it is started."""
    for program, *arguments in programs(command):
        if Path(program).name in ("eds", "eds-server"):
            yield arguments


def lasting(command):
    """What in it runs until it is stopped: `server`, `demo`, or None."""
    for name, *rest in map(with_command, eds(command)):
        if name in LASTING and not {"--events", "--importer", "--help"} & {*rest}:
            return name
    return None
