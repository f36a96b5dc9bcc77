"""Run a lesson in Jupyter, ``replay_lesson.py NOTEBOOK [CODE …]``, and print what came of its cells as JSON.

Further code is run in cells behind the lesson's own.  This is a program so that another user can run it.
"""

from __future__ import annotations

import json
import os
import sys

import nbformat
from nbclient import NotebookClient

_SECONDS = 60


def _text(output: nbformat.NotebookNode) -> str:
    data = output.get("data", {})
    return output.get("text", "") or data.get("text/plain", "") or "\n".join(output.get("traceback", ()))


notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.cells += [nbformat.v4.new_code_cell(code) for code in sys.argv[2:]]
NotebookClient(notebook, timeout=_SECONDS, kernel_name="python3", allow_errors=True).execute(cwd=os.getcwd())
cells = [
    {
        "source": cell.source,
        "tags": cell.metadata.get("tags", []),
        "errors": [each.ename for each in cell.outputs if each.output_type == "error"],
        "text": "\n".join(map(_text, cell.outputs)),
    }
    for cell in notebook.cells
    if cell.cell_type == "code"
]
print(json.dumps(cells))
