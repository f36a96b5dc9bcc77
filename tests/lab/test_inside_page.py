"""The Inside view in a browser: what is marked, told and scrolled to, and what is left without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from support.backends import LIBBPF
from support.jupyter_page import CHROMIUM

import ebpf_lab
from ebpf_lab.source import snippets

pytestmark = LIBBPF
MARKED = ".on, .at"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    snippet = snippets.load("open_monitor.libbpf")
    with ebpf_lab.trace(snippet.text, attach=snippet.attach) as trace:
        pass
    return trace.inside().save(tmp_path_factory.mktemp("inside") / "view.html")


@pytest.fixture(scope="module")
def page(file: Path) -> Iterator[Page]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        ) as browser,
    ):
        made = browser.new_page(viewport={"width": 1400, "height": 1000})
        asked: list[str] = []
        made.on("request", lambda request: asked.append(request.url))
        made.on("pageerror", lambda error: pytest.fail(str(error)))
        made.goto(file.as_uri())
        yield made
        assert asked == [file.as_uri()]


def marked(page: Page, pane: str) -> list[str]:
    return [each.inner_text() for each in page.locator(f".program[open] {pane}").locator(MARKED).all()]


def test_under_the_mouse_all_that_belongs_together_is_marked(page: Page) -> None:
    row = page.locator(".program[open] .code [data-i]", has_text="call bpf_get_current_pid_tgid")
    row.hover()
    assert ["u32 thread = bpf_get_current_pid_tgid();" in each for each in marked(page, "pre.c")] == [True]
    assert any("call bpf_get_current_pid_tgid" in each for each in marked(page, "pre.code"))
    assert any("call bpf_get_current_pid_tgid" in each for each in marked(page, ".flow"))
    told = page.locator(".card").inner_text().split("\n")
    assert "the verifier came by once; what it knew behind it (* is new)" in told
    assert "* R0=scalar()" in told
    page.mouse.move(2, 2)
    page.wait_for_selector(".card", state="hidden")
    assert marked(page, ".panes") == []


def test_a_click_holds_it_and_shows_it_in_each_pane(page: Page) -> None:
    line = page.locator(".program[open] pre.c .l", has_text="__sync_fetch_and_add")
    line.click()
    page.mouse.move(2, 2)
    (group,) = page.locator(".program[open] pre.code .g.on").all()
    assert "lock *(u64 *)" in group.inner_text()
    for pane, selector in (("pre.code", ".g.on"), (".flow", ".cl.on")):
        room = page.locator(f".program[open] {pane}").bounding_box()
        place = page.locator(f".program[open] {pane} {selector}").first.bounding_box()
        assert room is not None
        assert place is not None
        assert room["y"] <= place["y"] <= room["y"] + room["height"]
    line.click()
    page.mouse.move(2, 2)
    assert marked(page, ".panes") == []


def test_the_numbers_beside_the_lines_can_be_others(page: Page) -> None:
    numbers = page.locator(".program[open] pre.c .h:not([hidden])")
    steps = numbers.all_inner_texts()
    page.locator(".program[open] select").select_option(label="instructions")
    assert numbers.all_inner_texts() != steps
    assert len(numbers.all_inner_texts()) == len(steps)
    assert "its size, not a measurement" in page.locator(".program[open] .meaning:not([hidden])").inner_text()


def test_the_drawing_shows_each_way_between_its_boxes(page: Page) -> None:
    boxes = {
        each.get_attribute("data-b"): each.bounding_box()
        for each in page.locator(".program[open] .box").all()
    }
    ways = page.locator(".program[open] .way").all()
    assert len(boxes) > 3
    assert len(ways) > len(boxes) - 1
    for way in ways:
        origin, target = (boxes[way.get_attribute(name)] for name in ("data-from", "data-to"))
        place = way.locator("path").first.bounding_box()
        assert origin is not None
        assert target is not None
        assert place is not None
        assert place["y"] == pytest.approx(origin["y"] + origin["height"], abs=4)
        assert place["y"] + place["height"] == pytest.approx(target["y"], abs=4)
    # Nothing that is written in a box is wider than it.
    assert page.locator(".box").evaluate_all("all => all.every(each => each.scrollWidth <= each.clientWidth)")
