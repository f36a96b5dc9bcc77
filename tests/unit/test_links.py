"""Links in the lessons and in what is written beside them."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.globs import files

ROOT = Path(__file__).parents[2]
LESSONS = files(ROOT / "notebooks", "[0-9][0-9]_*.ipynb")
PAGES = [
    ROOT / "README.md",
    *files(ROOT / "docs", "*.md"),
    *files(ROOT / "lima", "*.md"),
    *files(ROOT / "notebooks", "*.md"),
]
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"!?\[(?:[^][]|\[[^]]*\])*\]\(([^)\s]*)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@functools.cache
def prose(path: Path) -> str:
    """The Markdown of a page or a lesson."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join(
        "".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"
    )


def links(path: Path) -> list[str]:
    return LINK.findall(CODE.sub("", prose(path)))


@functools.cache
def anchors(path: Path) -> set[str]:
    """What GitHub and the book call a page's headings: the same, for headings of different words."""
    found = Counter[str]()
    for heading in HEADING.findall(re.sub(r"```.*?```", "", prose(path), flags=re.DOTALL)):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        found[re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")] += 1
    return {name for name, times in found.items() if times == 1}


each = pytest.mark.parametrize("path", [*LESSONS, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))


@each
def test_what_is_linked_is_there(path: Path) -> None:
    for link in links(path):
        if urlsplit(link).scheme:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_relative_to(ROOT), f"{link} leaves the project"
        assert target.exists(), f"{link}: there is no such file"
        if anchor:
            assert anchor in anchors(target), f"{link}: no heading, or several, of that name"


@each
def test_addresses_elsewhere_are_whole_and_private(path: Path) -> None:
    for link in links(path):
        parts = urlsplit(link)
        if not parts.scheme:
            continue
        assert parts.scheme == "https", link
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), link
        assert not re.search(r"[\s<>\"]|utm_", link), link


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_links_to_nothing_that_its_copy_for_learners_has_not(path: Path) -> None:
    for link in links(path):
        if not urlsplit(link).scheme and not link.startswith("#"):
            target = (path.parent / link.partition("#")[0]).resolve()
            assert target.is_relative_to(path.parent), link
            assert not target.is_relative_to(path.parent / "solutions"), link


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_names_its_sources(path: Path) -> None:
    assert [link for link in links(path) if link.startswith("https://")]


def test_no_link_is_overlooked() -> None:
    """Each ``](`` in the prose belongs to a link that is looked at."""
    for path in (*LESSONS, *PAGES):
        text = CODE.sub("", prose(path))
        inner = len(re.findall(r"\[!\[", text))
        assert text.count("](") == len(links(path)) + inner, path.name


class TestGlossary:
    text = (ROOT / "notebooks/glossary.md").read_text(encoding="utf-8")

    def test_words_are_in_order(self) -> None:
        words = [word.lower() for word in re.findall(r"^### (.+)$", self.text, re.MULTILINE)]
        assert len(words) > 60
        assert words == sorted(words)

    def test_each_is_explained_in_few_sentences(self) -> None:
        for entry in self.text.split("\n### ")[1:]:
            word, _, body = entry.partition("\n")
            body = re.sub(r"\*Lessons? .*\*|\[[^]]*\]\([^)]*\)\.?|^## .*", "", body, flags=re.MULTILINE)
            sentences = re.findall(r"[.?!](?=\s|$)", body.strip())
            assert 1 <= len(sentences) <= 4, word

    def test_the_lessons_named_are_those_of_the_course(self) -> None:
        for names in re.findall(r"\*Lessons? (.*)\.\*", self.text):
            assert re.fullmatch(r"(0\d|1[0-4])( and (0\d|1[0-4]))?", names)
