"""The site has a page for each driver, a line for each name, pictures for everybody."""

from __future__ import annotations

import inspect
import re
import subprocess
from xml.etree import ElementTree as ET

import pytest

import eds_core
import eds_core.append
import eds_core.sql
import eds_core.testing
from pages.blocks import TOP

DOCS = TOP / "docs"
SVG = "{http://www.w3.org/2000/svg}"
REFERENCE = (DOCS / "reference" / "python.md").read_text()


@pytest.mark.parametrize("name", ["way", "crash"])
def test_a_picture_says_in_words_what_it_shows_and_loads_nothing(name):
    picture = ET.parse(DOCS / f"{name}.svg").getroot()

    labels = [picture.find(f"{SVG}{part}") for part in ("title", "desc")]
    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == " ".join(each.get("id") for each in labels)
    assert all(len(each.text) > 20 for each in labels)
    used = [value for part in picture.iter() for value in part.attrib.values()]
    assert not [value for value in used if "://" in value]
    assert not list(picture.iter(f"{SVG}image"))


def test_every_driver_has_a_page():
    # Those that are kept: a test beside this one may be making a driver.
    places = (":(glob)eds-driver-*/README.md", ":(glob)contrib/*/README.md")
    listed = subprocess.run(
        ("git", "ls-files", *places),
        cwd=TOP,
        check=True,
        capture_output=True,
        text=True,
    )
    wanted = set(listed.stdout.split())
    pages = "\n".join(page.read_text() for page in DOCS.glob("drivers/*.md"))

    included = set(re.findall(r"\{include\} \.\./\.\./(\S+)", pages))

    assert len(wanted) == 8
    assert wanted | {"eds-core/README.md"} == included


@pytest.mark.parametrize(
    "module", [eds_core, eds_core.append, eds_core.sql, eds_core.testing]
)
def test_the_reference_has_every_public_name(module):
    """Sphinx finds classes and functions by itself, and nothing else."""
    assert f".. automodule:: {module.__name__}\n" in REFERENCE
    for name in module.__all__:
        found = getattr(module, name)
        by_itself = inspect.isclass(found) or inspect.isfunction(found)
        assert by_itself or f":: {module.__name__}.{name}\n" in REFERENCE, name
