"""Builds the lessons, executed, into pages for everybody to read: ``./lab book [LESSON …]``.

A lesson is run on this machine's kernel, where that has all it needs; else the pages show what was recorded
for it.  Each page says which.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.host import features
from ebpf_lab.lessons import catalogue
from ebpf_lab.lessons.tags import expected_error, named
from ebpf_lab.recordings.course import RECORDINGS, REPLAY
from ebpf_lab.recordings.files import load

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent
CELL_SECONDS = 240
_NEEDS = ("bpf", "tracepoint", "ringbuf", "libbpf", "clang", "btf")
"""What every lesson needs."""
_MARK = ".buildinfo"
"""What Sphinx leaves in a directory of its pages, which may be replaced therefore."""
_WIDGET = "application/vnd.jupyter.widget-view+json"
_LINK = re.compile(r"\]\(([^)#:\s]+)[^)\s]*\)")
"""The file of a link to one, in Markdown."""


def main() -> int:
    """Build it, and say where it is."""
    parser = argparse.ArgumentParser(prog="./lab book", description="Build the executed lessons into pages.")
    parser.add_argument("lesson", nargs="*", help="only these, such as 00 or 01_hello_kernel")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build/book", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--replay", action="store_true", help="show recordings, whatever this machine can do")
    parsed = parser.parse_args()
    try:
        index = build([catalogue.lesson(name).name for name in parsed.lesson], parsed.output, parsed.replay)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    print(index)
    return 0


def build(lessons: list[str], output: Path, replay: bool) -> Path:
    """Run the lessons, all where none is named, and build the pages; return the first one.

    Raises
    ------
    UsageProblem
        The directory holds something else; a cell failed that should not, or did not that should; Sphinx is
        not content.
    """
    if output.exists() and any(output.iterdir()) and not (output / _MARK).exists():
        raise UsageProblem(
            f"{output} has something else in it", hint="name a directory that does not exist yet"
        )
    course = catalogue.notebooks()
    chosen = [course / f"{name}.ipynb" for name in lessons] or sorted(course.glob("[0-9][0-9]_*.ipynb"))
    with tempfile.TemporaryDirectory(prefix="ebpf-lab-book-") as scratch:
        source = Path(scratch, "book")
        (source / "notebooks").mkdir(parents=True)
        for path in chosen:
            began = time.monotonic()
            notebook, how = executed(path, replay)
            nbformat.write(notebook, source / "notebooks" / path.name)
            print(f"{path.stem}: {how} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
        _gather(source, chosen)
        pages = Path(scratch, "pages")
        _sphinx(source, pages, whole=not lessons)
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(pages, output)
    return output / "index.html"


# --- running -----------------------------------------------------------------------------------------------


def executed(path: Path, replay: bool) -> tuple[nbformat.NotebookNode, str]:
    """A lesson's notebook with what its cells brought, and what it was run on."""
    notebook = nbformat.read(path, as_version=4)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", ())]
    lacking = None if replay else features.missing([*_NEEDS, *named(tags, "needs")])
    recordings = path.parent / RECORDINGS / path.stem
    if replay or lacking is not None:
        os.environ[REPLAY] = str(recordings)
        how = _recorded_on(recordings)
        why = f": the kernel that this book was built on has no {lacking.name}" if lacking else ""
        remark = (
            f"Run on {how}, and shown from its recordings{why}. Cells that look at the running kernel, or "
            "judge an exercise, say here that they cannot."
        )
        if any(cell.source.startswith("%bpf doctor") for cell in notebook.cells):
            remark += " The doctor looks at the machine that this book was built on."
    else:
        os.environ.pop(REPLAY, None)
        how = f"Linux {platform.release()}, {platform.machine()}"
        remark = f"Run on {how}, when this book was built."
    with tempfile.TemporaryDirectory(prefix="ebpf-lab-book-") as scratch:
        NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            allow_errors=True,
            # Else each kernel warns of its transport, which nobody but this machine hears.
            extra_arguments=["--log-level=ERROR"],
        ).execute(cwd=scratch)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _hold_to_its_tags(path.stem, cell)
            cell.outputs = [_still(each) for each in cell.outputs if not _moves(each)]
    notebook.metadata.pop("widgets", None)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(f"```{{note}}\n{remark}\n```"))
    return notebook, how


def _recorded_on(recordings: Path) -> str:
    """The kernel of the recordings that a replay takes here, and when they were made."""
    found = sorted(
        recordings.glob("*/*.zip"), key=lambda path: (path.parent.name != platform.machine(), path)
    )
    if not found:
        raise UsageProblem(f"{recordings.name} cannot be run here, and has no recordings")
    made = load(found[0]).made
    return f"Linux {made.kernel}, {made.machine}, {made.when.partition(' ')[0]}"


def _hold_to_its_tags(lesson: str, cell: nbformat.NotebookNode) -> None:
    # Whatever this machine lacks, the lesson's recordings are shown for.
    expected = expected_error(cell.metadata.get("tags", ()), live=False)
    came = [each for each in cell.outputs if each.output_type == "error"]
    if [each.ename for each in came] != ([expected] if expected else []):
        raise UsageProblem(
            f"{lesson}: a cell is not as it should be",
            why=f"expected {expected or 'no error'}, but got {[each.ename for each in came] or 'none'}",
            log="\n".join([cell.source, *(line for each in came for line in each.traceback)]),
        )


def _moves(output: nbformat.NotebookNode) -> bool:
    """Whether it is a view with a still one behind it, which is what pages show."""
    data = output.get("data", {})
    return _WIDGET in data and not data.get("text/plain")


def _still(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    output.get("data", {}).pop(_WIDGET, None)
    return output


# --- pages -------------------------------------------------------------------------------------------------


def _gather(source: Path, lessons: list[Path]) -> None:
    """Lay out what the pages are made of as in the project, so that links between files hold."""
    course = lessons[0].parent
    beside = sorted(course.glob("*.md"))
    about = sorted((ROOT / "docs").glob("*.md"))
    texts = [*beside, *about, ROOT / "README.md", ROOT / "lima/README.md"]
    for path in texts:
        _copy(path, source)
    for path in [*texts, *lessons]:
        for linked in _linked(path):
            _copy(linked, source)
    for name in ("conf.py", "static"):
        _copy(HERE / name, source, HERE)
    names = {
        "LESSONS": [path.relative_to(ROOT) for path in lessons],
        "BESIDE": [path.relative_to(ROOT) for path in beside],
        "ABOUT": [path.relative_to(ROOT) for path in about],
    }
    index = (HERE / "index.md").read_text(encoding="utf-8")
    for word, paths in names.items():
        index = index.replace(f"\n{word}\n", "\n" + "".join(f"{path}\n" for path in paths))
    (source / "index.md").write_text(index, encoding="utf-8")


def _linked(path: Path) -> Iterator[Path]:
    """The files that a text links to."""
    for name in _LINK.findall(path.read_text(encoding="utf-8")):
        target = (path.parent / name).resolve()
        # Notebooks are pages where they are chosen, and not as they are.
        if target.is_file() and target.suffix != ".ipynb":
            yield target


def _copy(path: Path, source: Path, root: Path = ROOT) -> None:
    target = source / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target)
    elif not target.exists():
        shutil.copyfile(path, target)


def _sphinx(source: Path, pages: Path, *, whole: bool) -> None:
    # Links to lessons that were not chosen lead nowhere.
    quiet = [] if whole else ["-D", "suppress_warnings=misc.highlighting_failure,myst.xref_missing"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-qWE", "--keep-going", "-b", "html", *quiet, source, pages],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    if done.returncode != 0:
        raise UsageProblem("Sphinx is not content with the pages", log=done.stderr.replace(f"{source}/", ""))


if __name__ == "__main__":
    sys.exit(main())
