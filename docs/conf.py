"""How Sphinx builds these pages: ``nox -s docs``."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = tomllib.loads((ROOT / "eds-core" / "pyproject.toml").read_text())["project"]

project = "EDS"
author = "The EDS authors"
release = CORE["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"EDS {release}"
