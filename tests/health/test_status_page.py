"""The status page in a real browser: what it says, to whom, and what it does not do."""

import math
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from eds_core.health.http import HttpServer
from eds_core.health.meter import Meter
from eds_core.health.pages import Pages
from eds_core.health.problems import Problem
from eds_core.health.snapshot import Sample, Snapshot, View
from eds_core.ledger import Parked, TableStatus
from eds_core.plugins import BatchReport
from eds_core.standing import Reason, State

PICTURE = Path(__file__).parents[2] / "docs" / "status-page.png"
PHONE = {"width": 390, "height": 844}
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
STREAMING = State(streaming=True, companies=1)
PARKED = Parked(
    "inventory_part",
    "c",
    7,
    'column "own" of the table is NOT NULL and EDS does not know it',
    "drop it or give it a default; then `eds resume inventory_part URL`",
)


def totals(tables, events=1, latencies=(0.01,), now=None):
    """What a meter reads after one batch of one row in each of *tables*."""
    meter, now = Meter(), now or time.time()
    meter.batch_written(
        BatchReport(
            events=events,
            bytes=0,
            seconds=0.01,
            rows={table: 3 * number + 1 for number, table in enumerate(tables)},
            quarantined=0,
            latencies=latencies,
            tables={
                (table, "c"): TableStatus(
                    table, "c", last_event=int((now - number) * 1e9), lag=0.02
                )
                for number, table in enumerate(tables)
            },
        )
    )
    return meter.read()[0]


def rate(second):
    return 30 + 20 * math.sin(second / 20) + second % 7


def latency(second):
    return 0.02 + 0.004 * (second % 5) + (0.15 if 100 < second < 110 else 0)


def snapshot(state=STREAMING, tables=("customer", "order"), problems=(), **view):
    now = time.time()
    samples = [
        Sample(now - 299 + n, rate(n), *((0.008, latency(n)) if n % 50 else ()))
        for n in range(300)
    ]
    name = view.get("name", "postgresql://db.example/shop")
    views = [View(name, "PostgreSQL", state, totals(tables, events=123_456))]
    return Snapshot(now, now - 93_600, views, samples, problems)


class Source:
    silent = 0.0

    def __init__(self):
        self.snapshot = snapshot()


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def server(source):
    with closing(HttpServer(Pages(source, local=True), "127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def page(browser, server):
    """The page on a phone; whatever the browser complains of fails the test."""
    context = browser.new_context(viewport=PHONE, locale="en")
    page, complaints = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("console", lambda line: complaints.append(f"{line.type}: {line.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(server.url)
    page.complaints = complaints
    yield page
    context.close()
    assert [line for line in complaints if not line.startswith("info: ")] == []


def shows(page, words):
    expect(page.get_by_role("status")).to_have_text(words, timeout=60_000)


def test_it_says_that_all_is_well(page):
    shows(page, "✓ Up to date")

    expect(page).to_have_title("✓ Up to date (EDS)")
    row = page.get_by_role("row", name="customer")
    expect(row.get_by_role("rowheader")).to_have_text("customer")
    expect(row).to_contain_text("20 ms")
    expect(row).to_contain_text("✓ up to date")
    expect(page.get_by_role("heading", name="What is wrong now")).to_be_hidden()
    expect(page.locator("#problems")).to_have_text("None.")
    expect(page.get_by_role("img", name="Events per second: now ")).to_be_visible()
    assert page.locator("#rate path").get_attribute("d").count("L") > 200
    line = page.locator("#latency path").first.get_attribute("d")
    assert line.count("M") == 6  # a gap where there was nothing to measure


def test_it_follows_what_happens(page, source):
    shows(page, "✓ Up to date")

    away = Reason("no answer from db.example", "start the database")
    since = int((time.time() - 90) * 1e9)
    source.snapshot = snapshot(
        replace(STREAMING, trouble=away, fetched=2000, pending=5000, oldest=since)
    )
    shows(page, "✕ Not ready")
    wrong = page.get_by_role("region", name="What is wrong now")
    expect(wrong).to_contain_text("cannot be written to: no answer from db.example")
    expect(wrong).to_contain_text("To do: start the database")
    expect(page.locator("#figures")).to_contain_text("7,000 events")
    order = page.get_by_role("row", name="order")
    expect(order).to_contain_text("… waiting")

    source.snapshot = snapshot(replace(STREAMING, fetched=9, oldest=since))
    shows(page, "▲ Catching up: 2 min behind")
    expect(wrong).to_be_hidden()
    expect(order).to_contain_text("… waiting")

    source.snapshot = snapshot(replace(STREAMING, oldest=since, freshness=600.0))
    shows(page, "✓ Up to date")  # what waits does so on purpose
    expect(order).to_contain_text("✓ up to date")

    source.snapshot = snapshot(replace(STREAMING, parked=(PARKED,)))
    shows(page, "▲ Up to date but for 1 parked table")
    expect(page.get_by_role("row", name="inventory_part")).to_contain_text("▲ parked")
    expect(wrong).to_contain_text("is NOT NULL and EDS does not know it")
    expect(wrong).to_contain_text("To do: drop it or give it a default")

    source.snapshot = snapshot()
    shows(page, "✓ Up to date")


def test_credentials_that_end_soon_are_no_news_too_late(page, source):
    source.snapshot = replace(snapshot(), expires=time.time() + 15 * 86400)
    shows(page, "✓ Up to date")

    source.snapshot = replace(snapshot(), expires=time.time() + 13 * 86400)

    shows(page, "▲ Up to date, but the credentials end soon")
    wrong = page.get_by_role("region", name="What is wrong now")
    expect(wrong).to_contain_text("The credentials are good until ")
    expect(wrong).to_contain_text("To do: ask Shopmonkey for a new file")


def test_what_is_in_quarantine_is_not_left_without_advice(page, source):
    advice = page.get_by_text("eds quarantine list URL")
    shows(page, "✓ Up to date")
    expect(advice).to_be_hidden()

    kept = snapshot()
    kept.views[0].totals.quarantined["order"] = 2
    source.snapshot = kept

    expect(advice).to_be_visible()
    shows(page, "✓ Up to date")


def test_a_server_that_is_gone_is_not_shown_as_well(page, server, source):
    shows(page, "✓ Up to date")

    server.close()

    expect(page.get_by_role("status")).to_contain_text("No answer from EDS since")
    page.complaints[:] = [c for c in page.complaints if "ERR_" not in c]


def test_names_and_messages_from_outside_are_only_text(page, source):
    problem = Problem(HOSTILE, "error", time.time(), 3)
    state = replace(
        STREAMING,
        nats=HOSTILE,
        parked=(Parked(HOSTILE, "c", 1, HOSTILE, HOSTILE),),
    )
    source.snapshot = snapshot(state, ("order", HOSTILE), (problem,), name=HOSTILE)

    shows(page, "✕ Not ready")
    expect(page.get_by_role("rowheader").first).to_have_text(HOSTILE)
    expect(page.locator("#problems")).to_contain_text(HOSTILE)
    expect(page).to_have_title("✕ Not ready (EDS)")
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0


def test_the_browser_runs_nothing_else_on_it(page):
    shows(page, "✓ Up to date")

    page.evaluate(
        """() => {
            const added = document.createElement("script");
            try { added.text = "document.title = 'owned'"; } catch { return; }
            document.body.append(added);
        }"""
    )

    expect(page).to_have_title("✓ Up to date (EDS)")
    page.complaints[:] = [c for c in page.complaints if "TrustedScript" not in c]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_everybody_can_read_it(page, source, scheme, width):
    """The rules of WCAG 2.2 AA that a program can check: contrast, names, roles."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    away = Reason("no answer", "start the database")
    problems = tuple(
        Problem(f"trouble {level}", level, time.time())
        for level in ("warning", "error")
    )
    state = replace(STREAMING, trouble=away, parked=(PARKED,))
    source.snapshot = snapshot(state, problems=problems)
    shows(page, "✕ Not ready")

    found = Axe().run(page)

    told = [
        (each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]
    ]
    assert told == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [320, 640])
def test_letters_of_twice_the_size_fit(page, source, width):
    page.set_viewport_size({"width": width, "height": 844})
    source.snapshot = snapshot(replace(STREAMING, parked=(PARKED,)))
    shows(page, "▲ Up to date but for 1 parked table")

    page.evaluate("document.documentElement.style.fontSize = '200%'")

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_picture_in_the_docs_is_small(page, source, tmp_path):
    """With EDS_TEST_PICTURE=write it is made anew, of these invented figures."""
    page.set_viewport_size({"width": 480, "height": 800})
    names = ("appointment", "customer", "inspection", "order", "payment", "vehicle")
    warning = Problem(
        "connection to NATS lost: unexpected EOF", "warning", time.time() - 4000
    )
    source.snapshot = snapshot(STREAMING, names, (warning,))
    shows(page, "✓ Up to date")
    expect(page.get_by_role("row", name="vehicle")).to_be_visible()
    picture = tmp_path / PICTURE.name
    page.screenshot(path=picture, full_page=True)

    if os.environ.get("EDS_TEST_PICTURE") == "write":
        PICTURE.write_bytes(picture.read_bytes())
    assert PICTURE.stat().st_size < 150_000
