"""The spelling of the lessons and of what is written beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.globs import files
from support.machine import ROOT

WORDS = ROOT / "tests/data/words.txt"
"""Words of ours that codespell takes for others misspelt."""


def _check(directory: Path) -> subprocess.CompletedProcess[str]:
    # Whoever runs this may have settings of their own.
    command = [sys.executable, "-m", "codespell_lib", "--config", "/dev/null"]
    command += ["--builtin", "clear,rare,informal,code,names", "--ignore-words", str(WORDS), "."]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_words_are_spelt_as_they_should_be(tmp_path: Path) -> None:
    pages = [
        ROOT / "README.md",
        *files(ROOT / "docs", "*.md"),
        *files(ROOT / "lima", "*.md"),
        *files(ROOT / "notebooks", "*.md"),
        *files(ROOT / "notebooks/figures", "*.svg"),
    ]
    for page in pages:
        (tmp_path / f"{page.parent.name}-{page.name}.txt").write_text(page.read_text())
    for lesson in files(ROOT / "notebooks", "*.ipynb"):
        cells = json.loads(lesson.read_text())["cells"]
        # Programs, too: their comments are read as much as the prose.
        prose = "\n\n".join("".join(cell["source"]) for cell in cells)
        (tmp_path / f"{lesson.name}.txt").write_text(prose)
    done = _check(tmp_path)
    assert done.returncode == 0, done.stdout
    assert not done.stderr


def test_a_misspelt_word_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The verifier rejects teh program.")
    done = _check(tmp_path)
    assert done.returncode == 65
    assert "teh ==> the" in done.stdout
