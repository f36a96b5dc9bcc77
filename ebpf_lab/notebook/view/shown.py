"""Shows traces in a notebook: the live view, and beside it what stays when the kernel is gone.

These are two outputs of a cell and not two representations of one: JupyterLab writes "model not found" in
place of a widget whose kernel has ended, and does not look at what else that output has.  So the static view
is an output of its own, which the live one hides while it is there.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pandas as pd

from ebpf_lab import page
from ebpf_lab.presentable import Presentable
from ebpf_lab.session import Trace

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ebpf_lab.hosts.together import Together
    from ebpf_lab.notebook.view.widget import View

LAST = "_bpf"
"""Variable that holds the last trace, as ``_`` holds the last result."""
_WIDGET = "application/vnd.jupyter.widget-view+json"
# Of a widget without a model there is a panel with nothing but words in it; live ones have elements.
_STYLE = (
    "<style>.jp-OutputArea:has([data-ebpf-lab]) > .jp-OutputArea-child > .lm-Panel:not(:has(*))"
    "{display:none}</style>"
)


class Shown(pd.DataFrame):
    """The frame that a cell returns, shown as its trace is; what is made of it is an ordinary frame."""

    _metadata = ["_results", "_headed"]  # noqa: RUF012  # pandas looks for a list
    _results: Presentable
    _headed: bool

    @classmethod
    def of(cls, results: Presentable, *, headed: bool = True) -> Shown:
        """The main frame of these results."""
        made = cls(results.main)
        made._results, made._headed = results, headed
        return made

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __reduce__(self) -> Any:
        return pd.DataFrame(self).__reduce__()


class Viewer:
    """Shows traces and their frames in one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._live: dict[str, tuple[str, list[View]]] = {}
        assert shell.display_formatter is not None
        formatter = shell.display_formatter.mimebundle_formatter
        formatter.for_type(Shown, self._frame)
        formatter.for_type(Trace, self._trace)
        formatter.for_type_by_name("ebpf_lab.hosts.together", "Together", self._together)

    def header(self, results: Presentable) -> None:
        """Show what a trace counted, without a table."""
        text = page.header_text(results)
        if self._in_notebook:
            self._shell.display_pub.publish({"text/plain": text, "text/html": page.header(results)})
        else:
            print(text)

    def result(self, results: Presentable) -> Shown:
        """What a cell returns for a trace that has ended."""
        if self._in_notebook and len(results.tables):
            return Shown.of(results)
        # A terminal shows what is printed, and then the value.
        self.header(results)
        return Shown.of(results, headed=False)

    @property
    def _in_notebook(self) -> bool:
        return getattr(self._shell, "kernel", None) is not None

    def _frame(self, shown: Shown, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._show(shown._results, LAST, headed=shown._headed)

    def _trace(self, trace: Trace, include: object = None, exclude: object = None) -> dict[str, str]:
        if not trace.has_results:
            return {"text/plain": repr(trace)}
        results = trace.results()
        named = [name for name, value in self._shell.user_ns.items() if value is trace]
        remark = page.STILL if trace.running else ""
        return self._show(results, next((name for name in named if name[0] != "_"), LAST), remark=remark)

    def _together(self, made: Together, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._show(made, LAST) if made.results else {"text/plain": repr(made)}

    def _show(
        self, results: Presentable, name: str, *, headed: bool = True, remark: str = ""
    ) -> dict[str, str]:
        text = page.text(results, headed=headed, remark=remark)
        html = page.html(results, headed=headed, remark=remark)
        if not self._in_notebook:
            return {"text/plain": text, "text/html": html}
        token = secrets.token_hex(8)
        self._publish(results, name, token, headed, remark)
        return {"text/plain": text, "text/html": f"<div data-ebpf-lab='{token}'>{_STYLE}{html}</div>"}

    def _publish(self, results: Presentable, name: str, token: str, headed: bool, remark: str) -> None:
        from ebpf_lab.notebook.view.widget import View

        view = View(results, name, token, headed=headed, remark=remark)
        cell, request = self._request()
        if cell:
            before, live = self._live.get(cell, ("", []))
            if before != request:
                # The cell was run again: its former views are gone, and so shall be what they hold.
                while live:
                    live.pop().close()
            self._live[cell] = request, [*live, view]
        model = {"version_major": 2, "version_minor": 0, "model_id": view.model_id}
        self._shell.display_pub.publish({"text/plain": "", _WIDGET: model})

    def _request(self) -> tuple[str, str]:
        """The cell that is at work, "" where the front end does not say, and the request for it."""
        kernel: Any = getattr(self._shell, "kernel", None)
        parent = kernel.get_parent()
        return str(parent.get("metadata", {}).get("cellId", "")), parent.get("header", {}).get("msg_id", "")
