"""Every lesson, executed cell by cell in a Jupyter kernel.

A code cell may fail only where its tags say so, and then with that error (``ebpf_lab.lessons.tags``).
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from support.lesson_code import digest

from ebpf_lab.host import features
from ebpf_lab.lessons import catalogue
from ebpf_lab.lessons.tags import expected_error, named

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
CELL_SECONDS = 240
"""A bcc cell takes most of this in an emulated machine."""

CLAIMS = Path(__file__).parent / "claims"
"""What must hold in the kernel once a lesson has run: a file a lesson, which may ask ``has("kprobe")``, and
``live``: a recording shows it otherwise."""
_HAS = """\
from ebpf_lab.host import features
has = lambda *names: features.missing(names) is None
live = True
"""


def test_there_are_lessons() -> None:
    assert LESSONS


@pytest.mark.needs("tracepoint", "libbpf", "clang")
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    request.node.user_properties.extend(_reported(path))
    notebook = nbformat.read(path, as_version=4)
    claims = (CLAIMS / f"{path.stem}.py").read_text()
    notebook.cells += [nbformat.v4.new_code_cell(_HAS + claims), *_solved(path.stem)]
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", allow_errors=True).execute(
        cwd=str(tmp_path)
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None, cell.source
            expected = expected_error(cell.metadata.get("tags", []))
            assert _errors(cell) == ([expected] if expected else []), _told(cell)
            if ".plot" in cell.source and not _errors(cell):
                assert _images(cell), _told(cell)


def _reported(path: Path) -> list[tuple[str, str]]:
    """What the table of lessons has of this run: the kernel, and what of the lesson it can run."""
    exercises = catalogue.lesson(path.stem).exercises
    possible = sum(features.missing(each.needs) is None for each in exercises)
    cells = nbformat.read(path, as_version=4).cells
    needed = {name for cell in cells for name in named(cell.metadata.get("tags", []), "needs")}
    lacking = [lacks for name in sorted(needed) if (lacks := features.missing([name])) is not None]
    return [
        ("kernel", f"Linux {platform.release()}, {platform.machine()}"),
        ("exercises", f"{possible} of {len(exercises)}"),
        ("code", digest(path.stem)),
        ("without", json.dumps({each.name: each.reason for each in lacking})),
    ]


def _solved(lesson: str) -> list[nbformat.NotebookNode]:
    """Each solution in the place of what is shipped, and its check, where this machine can run it."""
    cells = []
    for path in sorted((NOTEBOOKS / "solutions" / lesson).iterdir()):
        needs = catalogue.exercise(catalogue.lesson(lesson), path.stem).needs
        if features.missing(needs) is not None:
            continue
        cells += [path.read_text().removeprefix("//"), f"assert check({path.stem!r}), check({path.stem!r})"]
    return [nbformat.v4.new_code_cell(cell) for cell in cells]


def _errors(cell: nbformat.NotebookNode) -> list[str]:
    return [output.ename for output in cell.outputs if output.output_type == "error"]


def _images(cell: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def _told(cell: nbformat.NotebookNode) -> str:
    return f"{cell.source}\n\n{nbformat.v4.writes(nbformat.v4.new_notebook(cells=[cell]))}"
