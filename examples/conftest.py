"""Each example is built, and its wheel installed into a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Install an example by name; return the environment in which EDS finds it."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))

    def install(name):
        target = tmp_path_factory.mktemp(name)
        command = [uv, "pip", "install", "-q", "--no-deps", "--target", str(target)]
        subprocess.run([*command, str(HERE / name)], check=True, timeout=240)
        return {**os.environ, "PYTHONPATH": str(target)}

    return install
