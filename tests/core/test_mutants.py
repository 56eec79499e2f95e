"""The mutants' patches fit the sources as they are; `nox -s mutants` runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PATCHES = sorted(TOP.glob("tests/mutants/*.patch"))


@pytest.fixture(scope="module")
def hunt():
    spec = spec_from_file_location("mutants_run", TOP / "tests" / "mutants" / "run.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_there_are_mutants_enough():
    assert len(PATCHES) >= 15


@pytest.mark.skipif(shutil.which("git") is None, reason="git applies the patches")
@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_a_mutant_fits_the_sources(patch):
    done = subprocess.run(
        ["git", "apply", "--check", patch],
        cwd=TOP,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.stderr == ""


def test_each_mutant_names_a_suite_and_a_layer_that_exist(hunt):
    named = {(mutant.suite, mutant.layer) for mutant in hunt.mutants()}

    assert {suite for suite, _ in named} <= hunt.suites(TOP).keys()
    assert {layer for _, layer in named} <= {*hunt.PARTS}
