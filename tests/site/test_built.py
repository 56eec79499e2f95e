"""The documentation as it was built: everybody can read it, and it asks nobody else.

`nox -s docs` builds it and runs this. The corner of a table may be without words; and
that furo's page of the search has no heading of the first order is furo's to mend.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

VARIABLE = "EDS_TEST_SITE"
#: One of each kind: prose, code, wide tables, made from the code, pictures.
PAGES = (
    "index.html",
    "start.html",
    "guide.html",
    "how-it-works.html",
    "operations.html",
    "troubleshooting.html",
    "drivers/postgres.html",
    "reference/cli.html",
    "reference/python.html",
)
ALLOWED = {"empty-table-header"}


@pytest.fixture(scope="module")
def site():
    """Where the built pages are."""
    if VARIABLE not in os.environ:
        pytest.skip(f"no built pages: `nox -s docs` makes them and sets {VARIABLE}")
    return Path(os.environ[VARIABLE])


@pytest.fixture
def page(browser, request):
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("page", [(390, "light"), (1280, "dark")], indirect=True)
def test_everybody_can_read_it(page, site, name):
    from axe_playwright_python.sync_playwright import Axe

    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / name).as_uri())

    found = Axe().run(page).response["violations"]

    told = [(each["id"], each["nodes"][0]["html"]) for each in found]
    assert [each for each in told if each[0] not in ALLOWED] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("page", [(1280, "light")], indirect=True)
def test_no_link_leads_nowhere(page, site):
    """Nor to a place that is not on its page."""
    links, places = {}, {}
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        links[path] = page.eval_on_selector_all(
            "a[href]", "all => all.map(a => a.href)"
        )
        ids = page.eval_on_selector_all("[id]", "all => all.map(each => each.id)")
        places[path] = {"", *ids}

    broken = [
        (path.name, link)
        for path, found in links.items()
        for link in found
        if link.startswith("file:") and not leads_somewhere(link, places)
    ]

    assert broken == []


def leads_somewhere(link, places):
    parts = urlsplit(link)
    path = Path(unquote(parts.path))
    if path.suffix != ".html":
        return path.is_file()
    return unquote(parts.fragment) in places.get(path, ())
