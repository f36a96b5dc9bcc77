"""The lessons as pages: ``./lab book``."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.machine import ROOT

LESSONS = ("01_hello_kernel", "05_maps")
"""Shown from their recordings, which takes no rights and no kernel."""


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "book/build.py", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("book") / "pages"
    done = build("--replay", "--output", output, *LESSONS)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{output / 'index.html'}\n"
    return output


@pytest.fixture(scope="module")
def pages(book: Path) -> dict[str, str]:
    return {name: (book / f"notebooks/{name}.html").read_text() for name in LESSONS}


class _Resources(HTMLParser):
    """The addresses of what a browser would fetch to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get("src") or (given.get("href") if tag == "link" else None)
        if address:
            self.found.append(address)


def _text(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


@pytest.mark.parametrize("name", LESSONS)
def test_a_page_says_what_it_was_run_on(pages: dict[str, str], name: str) -> None:
    assert re.search(
        r"Run on Linux 6\.\S+, (x86_64|aarch64), 20\d\d-\d\d-\d\d, and shown from its rec", pages[name]
    )


def test_the_c_in_cells_is_highlighted(pages: dict[str, str]) -> None:
    cells = re.findall(r'<div class="highlight-ebpf-lab notranslate">.*?</pre>', pages["05_maps"], re.DOTALL)
    assert len(cells) > 5
    for cell in cells:
        assert '<span class="k">struct</span>' in cell
        assert '<span class="kt">u64</span>' in cell or '<span class="kt">u32</span>' in cell


def test_python_in_cells_that_look_at_the_kernel_is_highlighted(pages: dict[str, str]) -> None:
    (cell, *_) = re.findall(
        r'<div class="highlight-ebpf-lab-live notranslate">.*?</pre>', pages["05_maps"], re.DOTALL
    )
    assert '<span class="k">live</span>' in cell
    assert '<span class="n">ebpf_lab</span>' in cell or '<span class="kn">import</span>' in cell


def test_results_are_tables_and_plots_without_a_script(pages: dict[str, str]) -> None:
    assert "REPLAYED from Linux" in _text(pages["05_maps"])
    assert "<table" in pages["05_maps"]
    images = re.findall(r'<img[^>]*src="([^"]+\.png)"', pages["05_maps"])
    assert images
    for page in pages.values():
        assert "widget-view" not in page
        assert "require.js" not in page


def test_figures_are_there_with_words_in_their_place(book: Path, pages: dict[str, str]) -> None:
    image = re.search(r'<img alt="One program stores the time[^"]*"[^>]*src="([^"]+\.svg)"', pages["05_maps"])
    assert image
    assert (book / "notebooks" / image[1]).read_text() == (ROOT / "notebooks/figures/maps.svg").read_text()


def test_errors_are_those_that_lessons_are_about(pages: dict[str, str]) -> None:
    told = {name: re.findall(r"(\w+(?:Error|Rejected)): ", _text(page)) for name, page in pages.items()}
    assert set(told["05_maps"]) == {"VerifierRejected"}
    assert set(told["01_hello_kernel"]) == {"AttachError", "VerifierRejected"}


def test_nothing_is_fetched_from_elsewhere(book: Path) -> None:
    found = sorted(book.rglob("*.html"))
    assert len(found) > len(LESSONS)
    for page in found:
        resources = _Resources()
        resources.feed(page.read_text())
        assert resources.found
        for address in resources.found:
            assert not re.match(r"(https?:)?//", address), (page, address)
            if not address.startswith("data:"):
                path = address.partition("?")[0].partition("#")[0]
                assert (page.parent / path).exists(), (page, address)
    for style in book.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", style.read_text()), style


def test_search_finds_words(book: Path) -> None:
    index = (book / "searchindex.js").read_text()
    for word in ("kretprob", "histogram"):
        assert word in index


def test_the_theme_can_be_chosen(book: Path) -> None:
    index = (book / "index.html").read_text()
    assert "theme-toggle" in index
    assert "theme.js" in index


def test_what_is_no_book_is_not_replaced(tmp_path: Path) -> None:
    kept = tmp_path / "mine"
    kept.write_text("precious")
    done = build("--replay", "--output", tmp_path, "01")
    assert done.returncode == 1
    assert "has something else in it" in done.stderr
    assert kept.read_text() == "precious"


def test_a_lesson_that_does_not_exist_is_said() -> None:
    done = build("99")
    assert done.returncode == 1
    assert "there is no lesson 99" in done.stderr
