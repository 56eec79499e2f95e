"""How Sphinx builds these pages: ``nox -s docs``."""

from __future__ import annotations

import tomllib
from pathlib import Path

from sphinx.application import Sphinx

import eds_core

ROOT = Path(__file__).parents[1]
CORE = tomllib.loads((ROOT / "eds-core" / "pyproject.toml").read_text())["project"]

project = "EDS"
author = "The EDS authors"
release = CORE["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
default_role = "code"  # docstrings write names as Markdown does
smartquotes = False  # `--creds` has two dashes
nitpicky = True
# Pages of others are not asked for, as nothing is fetched; and what is not public.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|contextlib|msgspec|sqlalchemy)\..*"),
    ("py:class", r"Columns|Key"),  # aliases, as their own module writes them
    ("py:class", r"eds_core\.(sql\.session\.R|testing\.memory\.store\.Store)"),
]
suppress_warnings = ["ref.python"]  # `type` is Python's, and no column's

html_theme = "furo"
html_title = f"EDS {release}"
html_static_path = ["_static"]
html_js_files = [("readable.js", {"defer": "defer"})]
html_copy_source = False  # who wants to see the source has the repository

# A name of eds_core is there when it was used; autodoc lists what is there.
PUBLIC = {name: getattr(eds_core, name) for name in eds_core.__all__}


def _name_the_argument(_app: object, _ctx: object, lines: list[str]) -> None:
    """``--url`` is hidden: a URL is an argument, or comes from the variable."""
    lines[:] = [line.replace(":option:`--url`", "``URL``") for line in lines]


def setup(app: Sphinx) -> None:
    event = "sphinx-click-process-envars"  # as sphinx-click 6 spells it there
    app.add_event(event)
    app.connect(event, _name_the_argument)
