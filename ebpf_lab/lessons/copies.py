"""Copies of the course for learners: without solutions, and without what an instructor's run left in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ebpf_lab.errors import UsageProblem
from ebpf_lab.lessons.progress import FILE

_INSTRUCTOR = "instructor"
"""Tag of cells that learners do not get."""
_LEFT_OUT = shutil.ignore_patterns("solutions", ".*", "__pycache__", FILE)


def copy(course: Path, target: Path) -> list[Path]:
    """Copy the course into a new directory and return its notebooks there.

    Raises
    ------
    UsageProblem
        There is something already, or the directory cannot be written.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageProblem(f"{target} is not empty", hint="name a directory that does not exist yet")
    try:
        shutil.copytree(course, target, ignore=_LEFT_OUT, dirs_exist_ok=True)
        notebooks = sorted(target.rglob("*.ipynb"))
        for notebook in notebooks:
            plain = json.loads(notebook.read_text(encoding="utf-8"))
            notebook.write_text(_text(for_learners(plain)), encoding="utf-8")
    except OSError as error:
        raise UsageProblem(f"the course cannot be copied to {target}", why=str(error)) from error
    return notebooks


def for_learners(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook (as its JSON) without outputs, counts and the instructor's cells."""
    cells = []
    for cell in notebook["cells"]:
        if _INSTRUCTOR in cell["metadata"].get("tags", ()):
            continue
        bare: dict[str, Any] = {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
        cells.append({**cell, **bare})
    return {**notebook, "cells": cells}


def _text(notebook: dict[str, Any]) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
