"""Apply each patch to a copy of the tree; the conformance kit has to notice.

    python tests/mutants/run.py [NAME...]

A patch says in its head which suite and which layer of the kit are meant to notice;
the layer is tried first, then the whole suite. The golden layer is left out: it sees
every change of SQL, and so says nothing about what a change does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TOP = HERE.parents[1]
SUITE = re.compile(r"^class Test(\w+)\(DriverConformance\)", re.MULTILINE)
PARTS = [
    "static",
    "contract",
    "shapes",
    "migrating",
    "ledger",
    "quarantine",
    "adopting",
    "values",
    "model",
    "faults",
]
KILLED, SURVIVED = 1, 0  # pytest's exit codes: tests failed, all passed
PATIENCE = 180  # seconds for one layer


@dataclass(frozen=True)
class Mutant:
    path: Path
    suite: str
    layer: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def what(self) -> str:
        return self.path.read_text().partition("\n")[0]


def mutants() -> list[Mutant]:
    return [_read(path) for path in sorted(HERE.glob("*.patch"))]


def _read(path: Path) -> Mutant:
    head = path.read_text().partition("\n--- ")[0]
    found = dict(re.findall(r"^(Suite|Layer): (\w+)$", head, re.MULTILINE))
    return Mutant(path, found["Suite"], found["Layer"])


def suites(tree: Path) -> dict[str, str]:
    """The kit's suites by name: where pytest finds them."""
    return {
        name.lower(): f"{path.relative_to(tree)}::Test{name}"
        for path in (
            *sorted(tree.glob("tests/drivers/test_*_conformance.py")),
            *tree.glob("tests/mutants/elephant.py"),
        )
        for name in SUITE.findall(path.read_text())
    }


@contextmanager
def copied_tree() -> Iterator[Path]:
    junk = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.pyc")
    with tempfile.TemporaryDirectory(prefix="eds-mutant-") as made:
        tree = Path(made)
        for source in (*TOP.glob("eds-*/src"), TOP / "tests"):
            shutil.copytree(source, tree / source.relative_to(TOP), ignore=junk)
        shutil.copytree(TOP / "docs", tree / "docs", ignore=junk)
        shutil.copy(TOP / "pyproject.toml", tree)
        yield tree


def apply(mutant: Mutant, tree: Path) -> None:
    subprocess.run(["git", "apply", mutant.path.resolve()], cwd=tree, check=True)


def tested(tree: Path, suite: str, *layers: str) -> tuple[int, str]:
    """Run layers of a suite in *tree*; return pytest's exit code and what it said."""
    sources = os.pathsep.join(str(path) for path in tree.glob("eds-*/src"))
    only = [f"--conformance-layer={layer}" for layer in layers]
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=line"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, suites(tree)[suite], *only],
        cwd=tree,
        check=False,
        env={**os.environ, "PYTHONPATH": sources, "EDS_TEST_SHRINK": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout + done.stderr


def hunt(mutant: Mutant) -> tuple[bool, str]:
    """Say whether the mutant was killed, and by what."""
    began = time.monotonic()
    with copied_tree() as tree:
        apply(mutant, tree)
        code, said = tested(tree, mutant.suite, mutant.layer)
        if code == SURVIVED:
            code, said = tested(tree, mutant.suite, *PARTS)
    took = time.monotonic() - began
    if code == SURVIVED:
        return False, "SURVIVED"
    killer = re.search(r"^(?:FAILED|ERROR) \S+::(\S+)", said, re.MULTILINE)
    if code != KILLED or killer is None:
        return False, f"could not be tried:\n{said[-2000:]}"
    return True, f"killed in {took:.1f} s by {killer[1]}"


def control(suite: str, layers: set[str]) -> str:
    """What fails in a suite of a driver that nobody broke; empty if nothing does."""
    with copied_tree() as tree:
        code, said = tested(tree, suite, *sorted(layers))
    return "" if code == SURVIVED else f"{suite} fails unbroken:\n{said[-2000:]}"


@contextmanager
def one_postgres() -> Iterator[None]:
    """One server for all: each run makes a database of its own."""
    sys.path.insert(0, str(HERE.parent))
    import servers

    with servers.postgres() as server:
        if server is None:
            sys.exit(servers.NO_POSTGRES)
        os.environ.setdefault(servers.GIVEN_POSTGRES, server.admin_url)
        yield


def main(names: list[str]) -> int:
    wanted = [each for each in mutants() if not names or each.name in names]
    if not wanted:
        sys.exit(f"no such mutant; there are: {' '.join(m.name for m in mutants())}")
    meant: dict[str, set[str]] = {}
    for mutant in wanted:
        meant.setdefault(mutant.suite, set()).add(mutant.layer)
    alive = 0
    with one_postgres(), ThreadPoolExecutor(os.cpu_count()) as pool:
        if bad := "".join(pool.map(control, meant, meant.values())):
            sys.exit(bad)
        for mutant, (killed, told) in zip(wanted, pool.map(hunt, wanted), strict=True):
            alive += not killed
            print(f"{mutant.name}: {mutant.what}\n    {told}", flush=True)
    print(f"{len(wanted) - alive} of {len(wanted)} mutants killed")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
