"""What is in `ops` and in the docs names only what a running server really tells."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from acceptance.harness import streaming, until
from acceptance.tables import execute
from eds_core.sandbox import COMPANY

TOP = Path(__file__).parents[2]
OPS = TOP / "ops"
RULES = OPS / "prometheus-alerts.yml"
DASHBOARD = OPS / "grafana-dashboard.json"
PROMTOOL = "EDS_TEST_PROMTOOL"
#: What Prometheus itself adds to each sample, and its own metric.
TARGET = {"job", "instance"}
OF_PROMETHEUS = {"up": TARGET}


@pytest.fixture(scope="module")
def scrape(tmp_path_factory):
    """The metrics of a server with a parked table and an event in quarantine."""
    directory = tmp_path_factory.mktemp("ops")
    (directory / "shop.db").touch()
    url = f"sqlite:///{directory / 'shop.db'}"
    execute(url, "CREATE TABLE brand (id TEXT PRIMARY KEY, own INTEGER NOT NULL)")
    wanted = ("eds_table_parked{", "eds_quarantined_total{", 'table="vendor"')

    async def scenario():
        async with streaming(directory, url) as (sandbox, server):
            for table in ("brand", "vendor"):
                await sandbox.publish(sandbox.shop.insert(table))
            bad = f"dbchange.order.INSERT.{COMPANY}.NONE.PUBLIC.1"
            await sandbox.publish_raw(bad, b"no JSON")
            await server.says("a status page: ")
            page = re.search(r"page: (http\S+)", server.err)[1] + "metrics"
            found = ""

            def complete():
                nonlocal found
                with urllib.request.urlopen(page, timeout=20) as answer:
                    found = answer.read().decode()
                return all(name in found for name in wanted)

            await until(complete, 20, server.tail)
            return found

    return asyncio.run(scenario())


@pytest.fixture(scope="module")
def labels(scrape):
    """The labels of each sample's name."""
    found = dict(OF_PROMETHEUS)
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            found.setdefault(sample.name, set(TARGET)).update(sample.labels)
    return found


def expressions():
    """All of them, by where they stand."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def parts(expression):
    """The expression and all that it is made of."""
    yield expression
    for name in ("lhs", "rhs", "expr", "vector_selector", "param", "args"):
        found = getattr(expression, name, None) or ()
        for part in found if isinstance(found, (list, tuple)) else (found,):
            yield from parts(part)


def selectors(expression):
    for part in parts(promql_parser.parse(expression)):
        if isinstance(part, promql_parser.VectorSelector):
            yield part.name, {matcher.name for matcher in part.matchers.matchers}


def groupings(expression):
    for part in parts(promql_parser.parse(expression)):
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            yield set(part.modifier.labels)


def placeholders(text):
    """The labels that a text for people has filled in."""
    in_rules = re.findall(r"\$labels\.(\w+)", text)
    return {*in_rules, *re.findall(r"\{\{(\w+)\}\}", text)}


@pytest.mark.parametrize(
    "expression", [pytest.param(text, id=where) for where, text in expressions()]
)
def test_every_expression_asks_for_what_there_is(labels, expression):
    found = [*selectors(expression)]

    assert found
    for name, asked in found:
        assert name in labels
        assert asked <= labels[name]
    there = set.union(*(labels[name] for name, _ in found))
    for grouped in groupings(expression):
        assert grouped <= there


def test_every_text_fills_in_labels_that_there_are(labels):
    every = set.union(*labels.values())
    for text in (RULES.read_text(), DASHBOARD.read_text()):
        assert placeholders(text)
        assert placeholders(text) <= every


def test_the_dashboard_is_complete():
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {
        "datasource",
        "instance",
        "destination",
    }
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_every_alert_says_what_to_do():
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"]["summary"]
            assert len(rule["annotations"]["description"]) > 60


def test_the_docs_have_a_line_for_every_metric(scrape):
    told = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(scrape)
    }
    page = (TOP / "docs" / "operations.md").read_text()

    named = set(re.findall(r"^\| `((?:eds|process)_\w+)` \|", page, re.MULTILINE))

    assert told == named


@pytest.fixture
def promtool():
    program = os.environ.get(PROMTOOL) or shutil.which("promtool")
    if not program:
        pytest.skip(f"no promtool here: install Prometheus, or name it in {PROMTOOL}")

    def run(*arguments, text=None):
        done = subprocess.run(
            [program, *arguments],
            cwd=OPS,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_prometheus_takes_the_rules_and_they_fire_when_they_should(promtool):
    promtool("check", "rules", RULES.name)
    promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "prometheus-alerts-test.yml")


def test_prometheus_finds_no_fault_with_the_metrics(promtool, scrape):
    promtool("check", "metrics", text=scrape)
