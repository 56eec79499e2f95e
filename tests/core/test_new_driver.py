"""``eds new-driver``: what it writes is green, and it refuses what cannot be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from eds_core.cli import main
from eds_core.cli.new_driver_files import Project, make

CORE = Path(__file__).parents[2] / "eds-core"
LONG = 900  # seconds: this installs, and runs the whole kit


def new_driver(*arguments):
    return CliRunner().invoke(main, ["new-driver", *map(str, arguments)])


def run(place, *command):
    """Run a program of the new distribution's environment in its directory."""
    program = place.parent / "venv" / "bin" / command[0]
    done = subprocess.run(
        [program, *command[1:]],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module", params=["sql", "plain"])
def installed(request, tmp_path_factory):
    """A new driver as its author has it, after README's first commands."""
    parent = tmp_path_factory.mktemp(request.param)
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    options = ["--no-sql"] if request.param == "plain" else []
    made = new_driver("my-db", "--scheme", "mydb", "--dir", parent, *options)
    assert made.exit_code == 0, made.output
    place = parent / "eds-driver-my-db"
    venv = parent / "venv"
    subprocess.run([uv, "venv", "-q", venv, f"--python={sys.executable}"], check=True)
    packages = ("-e", str(CORE), "-e", f"{place}[dev]")
    command = [uv, "pip", "install", "-q", f"--python={venv}", *packages]
    subprocess.run(command, check=True, timeout=LONG)
    return place


@pytest.mark.timeout(LONG)
def test_a_new_driver_is_green(installed):
    code, told = run(installed, "pytest", "-q", "-p", "no:cacheprovider")

    assert code == 0, told
    assert " passed" in told


@pytest.mark.timeout(LONG)
@pytest.mark.parametrize(
    "command",
    [("mypy",), ("ruff", "check"), ("ruff", "format", "--check")],
    ids=" ".join,
)
def test_a_new_driver_has_types_and_style(installed, command):
    code, told = run(installed, *command)

    assert code == 0, told


@pytest.mark.timeout(LONG)
def test_a_new_driver_is_found_by_its_scheme(installed):
    code, told = run(installed, "eds", "drivers")

    assert code == 0, told
    assert "mydb://" in told
    assert "eds-driver-my-db 0.1.0" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["My_DB"], "lower-case letters"),
        (["-"], "lower-case letters"),
        (["a/../b"], "lower-case letters"),
        (["1st"], "lower-case letters"),
        (["a" * 41], "lower-case letters"),
        (["mydb", "--scheme", "my+db"], "cannot be the scheme"),
        (["lite", "--scheme", "sqlite"], "sqlite:// is taken by eds-core"),
        (["postgres", "--scheme", "pg"], "is a distribution of EDS's own"),
        (["duckdb", "--scheme", "duck"], "is a distribution of EDS's own"),
    ],
    ids=lambda each: each[0][:5] if isinstance(each, list) else "",
)
def test_what_cannot_be_is_refused_with_words(tmp_path, arguments, words):
    result = new_driver("--dir", tmp_path, *arguments)

    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []


def test_an_installed_distribution_is_not_made_again(tmp_path, monkeypatch):
    info = tmp_path / "eds_driver_mydb-2.5.dist-info"
    info.mkdir()
    metadata = "Metadata-Version: 2.1\nName: eds-driver-mydb\nVersion: 2.5\n"
    (info / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(tmp_path))

    result = new_driver("mydb", "--dir", tmp_path)

    assert result.exit_code == 2
    assert "eds-driver-mydb 2.5 is installed already" in result.output


def test_what_is_there_already_is_left_alone(tmp_path):
    place = tmp_path / "eds-driver-mydb"
    place.mkdir()

    result = new_driver("mydb", "--dir", tmp_path)

    assert result.exit_code == 2
    assert "is there already" in result.output
    assert list(tmp_path.iterdir()) == [place]
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", ["sql", "plain"])
def test_it_is_a_complete_distribution(tmp_path, kind):
    project = Project("my-db", "mydb")

    count = make(project, tmp_path, kind)

    place = tmp_path / "eds-driver-my-db"
    files = {str(p.relative_to(place)) for p in place.rglob("*") if p.is_file()}
    assert len(files) == count
    assert files >= {
        ".github/workflows/tests.yml",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "noxfile.py",
        "pyproject.toml",
        "src/eds_driver_my_db/__init__.py",
        "src/eds_driver_my_db/driver.py",
        "src/eds_driver_my_db/py.typed",
        "tests/test_conformance.py",
    }
