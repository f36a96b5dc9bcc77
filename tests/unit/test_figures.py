"""The figures of the course."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support.globs import files

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "notebooks/figures"
SVG = "{http://www.w3.org/2000/svg}"
IMAGE = re.compile(r"!\[([^]]*)\]\(([^)]+)\)")
each_figure = pytest.mark.parametrize("path", files(FIGURES, "*"), ids=lambda path: path.stem)


def used() -> dict[Path, list[str]]:
    """The texts in place of each image, by its file."""
    found: dict[Path, list[str]] = {}
    places = [*files(ROOT / "notebooks", "*.ipynb"), *files(ROOT, "lima/*.md"), *files(ROOT / "docs", "*.md")]
    for place in places:
        text = place.read_text()
        if place.suffix == ".ipynb":
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        for alt, target in IMAGE.findall(text):
            found.setdefault((place.parent / target).resolve(), []).append(alt)
    return found


@each_figure
def test_it_can_be_read_by_those_who_do_not_see_it(path: Path) -> None:
    root = ET.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    labels = root.get("aria-labelledby", "").split()
    described = {
        child.get("id"): child.text or "" for child in root if child.tag in (f"{SVG}title", f"{SVG}desc")
    }
    assert list(described) == labels == ["title", "desc"]
    assert len(described["title"].split()) >= 3
    assert len(described["desc"].split()) >= 30


@each_figure
def test_it_is_drawn_for_both_themes_and_needs_nothing_else(path: Path) -> None:
    text = path.read_text()
    assert text.count("@media (prefers-color-scheme: dark)") == 1
    root = ET.fromstring(text)
    # Its ground goes with its colours: a page may have another theme than the browser.
    assert next(child.get("class") for child in root if child.tag == f"{SVG}rect") == "ground"
    assert not re.search(r"<script|<image|href|@import|url\((?!#)", text)
    style = "".join(root.itertext()).partition("@media")
    classes = {name for element in root.iter() for name in element.get("class", "").split()}
    for name in classes - {"small", "title", "code"}:
        assert f".{name}" in style[0], f"{name} has no colour"
        assert f".{name}" in style[2], f"{name} has no colour in the dark"


@each_figure
def test_it_is_used_with_words_in_its_place(path: Path) -> None:
    texts = used().get(path, [])
    assert texts, "no lesson or page shows it"
    for text in texts:
        assert len(text.split()) >= 10


def test_every_image_is_there() -> None:
    assert [path for path in used() if not path.is_file()] == []
