"""Colours of ``%%bpf`` cells in exported notebooks."""

from __future__ import annotations

import json
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from pygments.token import Keyword, Number, Operator, Punctuation, String, Text
from traitlets.config import Config

from ebpf_lab.notebook.lexer import BpfLexer

ROOT = Path(__file__).parent.parent.parent


def test_the_options_and_the_c_below_have_their_tokens() -> None:
    cell = "%%bpf -t 5 --attach f=kprobe:x -- sh -c 'a; b'\nu64 *n = 7; // note\n"
    tokens = [(kind, value) for kind, value in BpfLexer().get_tokens(cell) if value.strip()]
    assert tokens[:12] == [
        (Operator, "%%"),
        (Keyword, "bpf"),
        (Punctuation, "-t"),
        (Number, "5"),
        (Punctuation, "--attach"),
        (Text, "f=kprobe:x"),
        (Operator, "--"),
        (String.Other, "sh"),
        (String.Other, "-c"),
        (String.Other, "'a; b'"),
        (Keyword.Type, "u64"),
        (Operator, "*"),
    ]
    assert "".join(value for _, value in BpfLexer().get_tokens(cell)) == cell


@pytest.mark.parametrize(
    "text", ["%%bpf", "%%bpf\n", "%%bpf  \n\n", "%%bpf -- 'open", "%%bpf \\", "int x;\n", ""]
)
def test_nothing_is_lost(text: str) -> None:
    assert "".join(value for _, _, value in BpfLexer().get_tokens_unprocessed(text)) == text


def test_exported_cells_have_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is installed into etc/jupyter, which every Jupyter program reads."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (place,) = project["entry-points"]["pygments.lexers"].values()
    entry = EntryPoint("ebpf-lab", place, "pygments.lexers")
    monkeypatch.setattr("pygments.plugin.iter_entry_points", lambda group: [entry])
    settings = Config(json.loads((ROOT / "ebpf_lab/notebook/jupyter_config.json").read_text()))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%%bpf -t 5\nu64 x; // note")])
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    page, _ = HTMLExporter(config=settings).from_notebook_node(notebook)
    assert '<span class="kt">u64</span>' in page
    assert '<span class="c1">// note</span>' in page


def test_lessons_say_that_they_are_ipython_s() -> None:
    """Only then does nbconvert look at a cell's magic."""
    lessons = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    assert lessons
    for lesson in lessons:
        metadata = nbformat.read(lesson, as_version=4).metadata
        assert metadata.language_info.get("pygments_lexer") == "ipython3", lesson
