"""The tutorial's driver under the kit, taken from the page: mutants break it there.

No file that pytest collects: `tests/core/test_writing_a_driver.py` runs the tutorial as
it is, and `run.py` this with a page that was broken on purpose.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from eds_core.driver import Driver
from eds_core.testing import Deviation, DriverConformance, replaced

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-driver.md"
BLOCK = re.compile(r"^```python\n# src/\S+\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _from_page() -> type[Driver]:
    module = ModuleType("elephant_of_the_page")
    sys.modules[module.__name__] = module  # classes are looked up by their module
    exec(BLOCK.search(PAGE.read_text(encoding="utf-8"))[1], vars(module))
    return module.ElephantDriver


@pytest.fixture(scope="class")
def destination_url(postgres):
    return "elephant" + postgres.new_database().removeprefix("postgresql")


class TestElephant(DriverConformance):
    driver = _from_page()
    max_examples = 5
    values: ClassVar[dict[str, Deviation]] = {
        "text: NUL": replaced("NUL is taken out, and the log says so", "bc"),
    }
