"""Whether a lesson's code is still what was run when ``docs/lessons.md`` was made."""

from __future__ import annotations

import hashlib
import json

from support.machine import ROOT

COURSE = ROOT / "notebooks"


def digest(lesson: str) -> str:
    """Of its code cells and their tags, its solutions and claims; its prose may change."""
    cells = json.loads((COURSE / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [
        ["".join(cell["source"]), cell["metadata"].get("tags", [])]
        for cell in cells
        if cell["cell_type"] == "code"
    ]
    files = [
        *sorted((COURSE / "solutions" / lesson).iterdir()),
        ROOT / "tests/notebooks/claims" / f"{lesson}.py",
    ]
    whole = json.dumps([code, [[path.name, path.read_text(encoding="utf-8")] for path in files]])
    return hashlib.sha256(whole.encode()).hexdigest()[:12]
