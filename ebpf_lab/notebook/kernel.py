"""The kernel of "eBPF Lab": IPython's, whose Shift-Tab knows what is in a ``%%bpf`` cell."""

from __future__ import annotations

from typing import Any

from ipykernel.ipkernel import IPythonKernel

from ebpf_lab.notebook import tooltip
from ebpf_lab.notebook.completion.cell import Cell


class LabKernel(IPythonKernel):
    """Python with ``%%bpf`` ready; all but Shift-Tab comes from the extension, in any other kernel too."""

    def do_inspect(  # type: ignore[override]  # may be one or a coroutine
        self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()
    ) -> dict[str, Any]:
        """Answer what the word at the cursor is; of Python's words, as IPython does."""
        if Cell.read(code) is None:
            answer: dict[str, Any] = super().do_inspect(  # type: ignore[no-untyped-call]
                code, cursor_pos, detail_level, omit_sections
            )
            return answer
        entry = tooltip.look(code, cursor_pos)
        if entry is None:
            return {"status": "ok", "found": False, "data": {}, "metadata": {}}
        data = {"text/plain": entry.plain(), "text/html": entry.html()}
        return {"status": "ok", "found": True, "data": data, "metadata": {}}
