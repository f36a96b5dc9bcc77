"""The course's recordings: a lesson is run from its first cell to its last, and each trace of it is kept."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.lessons.tags import expected_error, named
from ebpf_lab.recordings import course

MOST = 100_000
"""Bytes of a recording in the course: everybody who gets the course gets all of them."""


def record(notebook: Path, directory: Path, tell: Callable[[str], None]) -> list[Path]:
    """Run a lesson on this machine's kernel, and keep what its cells trace.

    Parameters
    ----------
    notebook : Path
    directory : Path
        Gets the recordings, below the lesson's name and this machine's architecture, in the place of those
        that are there.
    tell : callable
        Told in a line what is done.

    Returns
    -------
    list of Path
        The recordings.

    Raises
    ------
    UsageProblem
        IPython is not installed, or a cell failed that should not, or did not that should: nothing of the
        lesson is replaced then.  A recording is too large.
    """
    place = directory / notebook.stem / platform.machine()
    with tempfile.TemporaryDirectory(prefix="ebpf-lab-record-") as scratch:
        made = Path(scratch, "recordings")
        made.mkdir()
        with _surroundings(Path(scratch), made):
            _run(json.loads(notebook.read_text(encoding="utf-8")), notebook.stem, tell)
        found = sorted(made.iterdir())
        for each in found:
            if each.stat().st_size > MOST:
                what = f"{notebook.stem}: the recording {each.name} has {each.stat().st_size:,} bytes"
                raise UsageProblem(what, why=f"the limit is {MOST:,} bytes")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return [Path(shutil.copyfile(each, place / each.name)) for each in found]


@contextlib.contextmanager
def _surroundings(scratch: Path, recordings: Path) -> Iterator[None]:
    """Cells run in a directory of their own, and record."""
    before = Path.cwd()
    os.environ[course.RECORD] = str(recordings)
    os.chdir(scratch)
    try:
        yield
    finally:
        os.chdir(before)
        del os.environ[course.RECORD]


def _run(notebook: dict[str, Any], name: str, tell: Callable[[str], None]) -> None:
    try:
        from IPython.core.interactiveshell import InteractiveShell
    except ImportError as error:
        raise UsageProblem("lessons are run by IPython, which is not installed") from error
    # Not Jupyter: a machine that is small enough to boot for this has none.
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]
    for number, cell in enumerate(notebook["cells"]):
        tags = cell["metadata"].get("tags", [])
        source = "".join(cell["source"])
        # What judges an exercise traces another program each time; what is live is not replayed.
        if cell["cell_type"] != "code" or named(tags, "check") or source.startswith("%%live"):
            continue
        tell(f"{name}, cell {number}: {source.partition(chr(10))[0]}")
        with contextlib.redirect_stdout(sys.stderr):
            done = shell.run_cell(source)
        failure = done.error_before_exec or done.error_in_exec
        came = None if failure is None else type(failure).__name__
        if came != expected_error(tags):
            words = failure.what if isinstance(failure, LabError) else str(failure or "it did not fail")
            raise UsageProblem(f"{name}: cell {number} is not as it should be", why=words, log=source)
