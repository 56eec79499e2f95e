"""What lies in `ops` and makes a release, as far as it runs without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from eds_core.cli.main import main

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"
UNIT = OPS / "systemd" / "eds.service"


def run(*command, **options):
    environment = {**os.environ, "PATH": f"{sys.prefix}/bin{os.pathsep}{os.defpath}"}
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        [*map(str, command)],
        stdout=subprocess.PIPE,
        stderr=options.pop("stderr", subprocess.PIPE),
        text=True,
        check=False,
        env=environment,
        **options,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def copied_tree(place):
    """What git knows of this tree, as it is now."""
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        if (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def test_what_the_image_is_made_by_installs_the_drivers_asked_for(tmp_path):
    tree = copied_tree(tmp_path / "tree")

    run("sh", tree / "ops/docker/install.sh", tmp_path / "eds", "postgres", "mysql")

    shutil.rmtree(tree)  # nothing of it is needed later
    found = json.loads(run(tmp_path / "eds/bin/eds", "drivers", "--json"))
    schemes = {scheme for each in found for scheme in each["schemes"]}
    assert schemes == {"postgresql", "postgres", "mysql", "mariadb", "sqlite"}
    assert not any(each["broken"] for each in found)


@pytest.fixture
def systemd_analyze():
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not in the PATH (Debian: apt install systemd)")
    return program


def test_systemd_understands_the_unit(systemd_analyze, tmp_path):
    unit = tmp_path / "eds.service"
    program = Path(sys.prefix) / "bin" / "eds"
    unit.write_text(UNIT.read_text().replace("/opt/eds/bin/eds", str(program)))
    run(systemd_analyze, "verify", "--man=no", unit)


def test_the_service_may_do_little(systemd_analyze):
    """Tenths of systemd's exposure level; 10 and less is called safe, 96 unsafe."""
    run(systemd_analyze, "security", "--offline=true", "--threshold=15", UNIT)


def known_variables():
    server = main.get_command(None, "server")
    return {option.envvar for option in server.params}


@pytest.mark.parametrize(
    "place",
    ["systemd/eds.service", "docker/compose.yaml", "kubernetes/eds.yaml"],
)
def test_every_variable_is_one_that_the_server_reads(place):
    used = set(re.findall(r"\bEDS_[A-Z_]+", (OPS / place).read_text()))
    assert used
    assert used <= known_variables()


def test_the_file_with_options_is_one_that_the_server_takes(tmp_path):
    example = OPS / "systemd" / "eds.toml.example"
    file = shutil.copy(example, tmp_path / "eds.toml")
    eds = Path(sys.prefix) / "bin" / "eds"
    found = json.loads(run(eds, "config", "show", "--json", "--config", file))
    values = {each["name"]: each["values"] for each in found["options"]}
    assert values["creds"] == [str(tmp_path / "shop.creds")]
    assert values["url"] == ["postgresql://eds:***@localhost/shop"]
    assert "EDS_CONFIG=/etc/eds/eds.toml" in UNIT.read_text()


@pytest.fixture
def repository(tmp_path):
    """A clone of a repository that has this tree, and where that one is."""
    origin, tree = tmp_path / "origin.git", copied_tree(tmp_path / "tree")
    run("git", "init", "-q", "--bare", origin)
    run("git", "init", "-q", "-b", "main", tree)
    for name, value in (("user.name", "EDS"), ("user.email", "eds@example.com")):
        run("git", "config", name, value, cwd=tree)
    run("git", "add", "--all", cwd=tree)
    run("git", "commit", "-q", "-m", "all of it", cwd=tree)
    run("git", "remote", "add", "origin", origin, cwd=tree)
    run("git", "push", "-q", "-u", "origin", "main", cwd=tree)
    return origin, tree


def test_a_release_has_its_version_its_news_and_its_tag(repository):
    origin, tree = repository
    core = tree / "eds-core"

    release = ("-s", "release", "--", "eds-core", "0.1.1")
    told = run(
        sys.executable, "-m", "nox", *release, cwd=tree, stderr=subprocess.STDOUT
    )

    project = tomllib.loads((core / "pyproject.toml").read_text())["project"]
    assert project["version"] == "0.1.1"
    assert "## 0.1.1 (" in (core / "CHANGELOG.md").read_text()
    assert [path.name for path in (core / "changes").iterdir()] == ["README.md"]
    built = {path.name for path in (tree / "dist").iterdir()} - {".gitignore"}
    assert built == {"eds_core-0.1.1-py3-none-any.whl", "eds_core-0.1.1.tar.gz"}

    what_is_left = re.search(r"read the diff, then: (git .*)", told)[1]
    run("bash", "-ec", what_is_left, cwd=tree)
    assert run("git", "tag", "--list", cwd=origin) == "eds-core-v0.1.1\n"
    assert run("git", "status", "--porcelain", cwd=tree) == ""


def test_what_is_secret_beside_the_compose_file_gets_into_no_commit_and_no_image():
    compose = OPS / "docker" / "compose.yaml"
    secrets = re.findall(r"^#   (\S+)  ", compose.read_text(), re.MULTILINE)
    assert secrets == ["shop.creds", ".env"]
    for name in secrets:
        run("git", "check-ignore", compose.with_name(name), cwd=ROOT)
    patterns = (ROOT / ".dockerignore").read_text().split()
    assert {"**/*.creds", "**/.env"} <= set(patterns)


def test_every_file_that_is_mounted_is_there():
    compose = OPS / "docker" / "compose.yaml"
    mounted = re.findall(r"- (\.[^:]+):/", compose.read_text())
    assert mounted
    assert [name for name in mounted if not (compose.parent / name).is_file()] == []
