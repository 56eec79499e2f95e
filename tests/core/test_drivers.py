"""``eds drivers``, and the version of the contract that a driver is written for."""

from __future__ import annotations

import json
import sys
from textwrap import dedent

import pytest
from click.testing import CliRunner

from eds_core import contract
from eds_core.cli import main
from eds_core.destination import find_driver
from eds_core.driver import RENAMED, Driver
from eds_core.errors import ConfigError

DRIVER = """
from eds_core.testing import MemoryDriver

class Shop(MemoryDriver):
    title = "Shop"
    example_url = "shop://host/db"
    {more}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution with one driver where Python finds it, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def install(name, source, schemes, direct_url=None):
        info = tmp_path / f"{name}-2.5.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n"
        (info / "METADATA").write_text(metadata)
        entries = "".join(f"{scheme} = {name}:Shop\n" for scheme in schemes)
        (info / "entry_points.txt").write_text(f"[eds.drivers]\n{entries}")
        if direct_url is not None:
            (info / "direct_url.json").write_text(direct_url)
        (tmp_path / f"{name}.py").write_text(dedent(source))

    yield install
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def listed(*arguments):
    result = CliRunner().invoke(main, ["drivers", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def told():
    return {each["driver"]: each for each in json.loads(listed("--json"))}


def test_all_that_is_known_of_a_driver_is_told(install, tmp_path):
    install("shop_driver", DRIVER.format(more=""), ["shop", "shops"])

    found = told()["shop_driver:Shop"]

    assert found.pop("capabilities")["transactions"] is True
    assert found == {
        "driver": "shop_driver:Shop",
        "schemes": ["shop", "shops"],
        "distribution": "shop_driver",
        "version": "2.5",
        "origin": str(tmp_path),
        "title": "Shop",
        "example_url": "shop://host/db",
        "contract": 1,
        "broken": "",
    }


def test_people_are_told_the_same(install):
    install("shop_driver", DRIVER.format(more=""), ["shop", "shops"])

    text = listed()

    for words in [
        "shop:// shops://\n",
        "shop_driver 2.5\n",
        "contract      1\n",
        "transactions=True",
        "sqlite:///",
    ]:
        assert words in text


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("1 / 0", "division by zero"),
        ("Shop = 7", "is not a subclass of eds_core.Driver"),
        ("import eds_core\nclass Shop(eds_core.Driver): ...", "lacks __init__, bulk"),
        (DRIVER.format(more="contract = 2"), "version 2 of the driver contract"),
        ("import sys\nsys.exit('no libshop')", "no libshop"),
        (DRIVER.format(more="capabilities = {}"), "lacks capabilities"),
        (DRIVER.format(more="title = None"), "lacks title"),
        (DRIVER.format(more="def __init__(self): ..."), "be made of a URL"),
        (DRIVER.format(more="def __init__(self, u, p): ..."), "be made of a URL"),
    ],
    ids=(
        *("import", "class", "abstract", "contract", "exit", "capabilities", "title"),
        *("no-url", "more-than-a-url"),
    ),
)
def test_a_broken_driver_says_why_and_breaks_no_other(install, source, why):
    install("broken_driver", source, ["shop"])

    found = told()

    broken = found.pop("broken_driver:Shop")
    assert why in broken["broken"]
    assert broken["version"] == "2.5"
    assert found["eds_core.sqlite:SqliteDriver"]["broken"] == ""
    text = listed()
    assert "BROKEN" in text
    assert why in text


@pytest.mark.parametrize("name", ["Shop", "shop+fast"])
def test_an_entry_point_that_no_url_selects_is_told(install, name):
    install("shop_driver", DRIVER.format(more=""), [name])

    found = told()

    assert f"no URL selects the entry point '{name}'" in found.pop(
        "shop_driver:Shop"
    ).get("broken")
    assert found["eds_core.sqlite:SqliteDriver"]["broken"] == ""


def test_a_scheme_that_two_distributions_claim_is_told_of_both(install):
    install("one_driver", DRIVER.format(more=""), ["shop"])
    install("two_driver", DRIVER.format(more=""), ["shop"])

    found = told()

    for name in ["one_driver:Shop", "two_driver:Shop"]:
        assert "is claimed by one_driver:Shop and two_driver" in found[name]["broken"]


def test_it_tells_what_pip_was_given_but_no_token(install):
    given = '{"url": "https://user:secret-token@example.com/shop.whl"}'
    install("shop_driver", DRIVER.format(more=""), ["shop"], given)

    text = listed()

    assert "example.com/shop.whl" in text
    assert "secret-token" not in text + listed("--json")


@pytest.mark.parametrize(
    ("contract", "advice"),
    [
        ("2", "pip install --upgrade eds-core"),
        ("0", "pip install --upgrade shop_driver"),
        ("'1'", "pip install --upgrade shop_driver"),
    ],
)
def test_a_driver_for_another_contract_is_refused_with_words(install, contract, advice):
    source = DRIVER.format(more=f"contract = {contract}")
    install("shop_driver", source, ["shop"])

    with pytest.raises(ConfigError) as caught:
        find_driver("shop://host/db")

    assert f"version {contract} of the driver contract" in str(caught.value)
    assert "this eds-core keeps 1 to 1" in str(caught.value)
    assert caught.value.advice == advice


def test_a_driver_for_an_older_contract_works_and_its_author_is_warned(
    install, monkeypatch
):
    install("shop_driver", DRIVER.format(more=""), ["shop"])
    monkeypatch.setattr(contract, "CONTRACT", 2)

    with pytest.warns(DeprecationWarning, match="written for version 1 of the driver"):
        driver = find_driver("shop://host/db")

    assert driver.title == "Shop"


def test_a_name_of_old_works_and_its_author_is_warned(install, monkeypatch):
    source = DRIVER.format(more="abilities = Capabilities(max_rows=7)")
    install("shop_driver", "from eds_core import Capabilities\n" + source, ["shop"])
    monkeypatch.setattr(contract, "RENAMED", {"abilities": "capabilities"})

    with pytest.warns(DeprecationWarning, match="says abilities, which is called capa"):
        driver = find_driver("shop://host/db")

    assert driver.capabilities.max_rows == 7


def test_names_of_old_name_what_there_is():
    for old, new in RENAMED.items():
        assert hasattr(Driver, new)
        assert not hasattr(Driver, old)
