"""Every lesson, executed cell by cell in a Jupyter kernel.

A code cell may fail only where its tags say so: ``error:NAME`` must fail with that error, and a cell with
``needs:FEATURE`` must fail with MissingFeature on a machine that lacks it.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from ebpf_lab.host import features

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
CELL_SECONDS = 240
"""A bcc cell takes most of this in an emulated machine."""

CLAIMS = {
    "00_first_traces": [
        "assert list(attempts.comm[-2:]) == ['sh', 'sh'], attempts",
        "assert len(attempts) == 3, attempts",
        "assert (opened.filename == '/etc/hostname').sum() == 1, opened",
        "assert opened.flags_names[opened.filename == '/etc/hostname'].item() == 'O_RDONLY', opened",
        "assert len(seen) >= 7, seen",
    ],
}
"""What must hold in the kernel once the lesson has run."""


def test_there_are_lessons() -> None:
    assert LESSONS


@pytest.mark.needs("tracepoint", "libbpf", "clang")
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    claims = [nbformat.v4.new_code_cell(claim) for claim in CLAIMS[path.stem]]
    notebook.cells += claims + _solved(path.stem)
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", allow_errors=True).execute(
        cwd=str(tmp_path)
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None, cell.source
            assert _errors(cell) == _expected_errors(cell), _told(cell)


def _solved(lesson: str) -> list[nbformat.NotebookNode]:
    """Each solution in the place of what is shipped, and its check."""
    cells = []
    for path in sorted((NOTEBOOKS / "solutions" / lesson).iterdir()):
        cells += [path.read_text().removeprefix("//"), f"assert check({path.stem!r}), check({path.stem!r})"]
    return [nbformat.v4.new_code_cell(cell) for cell in cells]


def _errors(cell: nbformat.NotebookNode) -> list[str]:
    return [output.ename for output in cell.outputs if output.output_type == "error"]


def _expected_errors(cell: nbformat.NotebookNode) -> list[str]:
    tags = cell.metadata.get("tags", [])
    missing = [
        tag
        for tag in tags
        if tag.startswith("needs:")
        and features.probe(tag.removeprefix("needs:")).answer is not features.Answer.YES
    ]
    if missing:
        return ["MissingFeature"]
    return [tag.removeprefix("error:") for tag in tags if tag.startswith("error:")]


def _told(cell: nbformat.NotebookNode) -> str:
    return f"{cell.source}\n\n{nbformat.v4.writes(nbformat.v4.new_notebook(cells=[cell]))}"
