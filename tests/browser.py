"""A real browser, for the tests of what people look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VARIABLE = "EDS_TEST_CHROMIUM"
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


# Not for the whole run: as long as it is open, no other test can use asyncio.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of this machine, without a window."""
    from playwright.sync_api import sync_playwright

    program = os.environ.get(VARIABLE) or next(
        filter(None, map(shutil.which, NAMES)), ""
    )
    if not program:
        pytest.skip(f"no Chromium here: install chromium, or name one in {VARIABLE}")
    root = os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"] if root else []
        )
        yield browser
        browser.close()
