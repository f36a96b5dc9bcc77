"""The live view of a trace: pages of its streams and maps, sorted and searched here, and plots at a click.

The rows stay in the kernel and only a page of them goes to the browser, because tables that hold their data
there, such as itables, sample a long frame down to what a notebook can carry: a search would miss events.
"""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ebpf_lab.errors import LabError
from ebpf_lab.live.shell import hear_apart
from ebpf_lab.notebook.view.table import Query, Table
from ebpf_lab.page import notes_of
from ebpf_lab.plots import colours
from ebpf_lab.plots.accessor import Plots
from ebpf_lab.plots.canvas import Canvas
from ebpf_lab.plots.choice import Suggestion, suggestions
from ebpf_lab.presentable import Presentable

_STATIC = Path(__file__).parent.parent / "static"
_MOST = 100
"""Rows on a page."""
_PIXELS = 100
"""Of the page on an inch of a plot; a picture has twice as many."""
_NARROWEST, _WIDEST = 4.5, 10.0
"""Inches of a plot."""


class View(anywidget.AnyWidget):
    """Shows results, which no longer change.

    Parameters
    ----------
    results : Presentable
    name : str
        What the trace is called in the code that draws a plot again.
    token : str
        Marks the static view that this one stands for.
    headed : bool
        With the header line and the notes.
    remark : str
        A note more.
    """

    _esm = (_STATIC / "view.js").read_text()
    _css = colours.css() + (_STATIC / "view.css").read_text()

    token = traitlets.Unicode().tag(sync=True)
    facts: traitlets.List[dict[str, object]] = traitlets.List().tag(sync=True)
    notes: traitlets.List[str] = traitlets.List().tag(sync=True)
    tables: traitlets.List[dict[str, object]] = traitlets.List().tag(sync=True)
    query = traitlets.Dict().tag(sync=True)
    page = traitlets.Dict().tag(sync=True)
    wanted = traitlets.Dict().tag(sync=True)
    drawn = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes().tag(sync=True)

    def __init__(
        self, results: Presentable, name: str, token: str, *, headed: bool = True, remark: str = ""
    ) -> None:
        self._tables = results.tables
        self._made: dict[str, tuple[Table, list[Suggestion]]] = {}
        self._name = name
        # Messages may be answered in a thread of their own, while a cell is at work.
        self._lock = threading.Lock()
        names = list(self._tables)
        query = {"number": 0, "table": names[0] if names else ""}
        super().__init__(
            token=token,
            facts=[{"text": fact.text, "bad": fact.bad, "minor": fact.minor} for fact in results.facts]
            if headed
            else [],
            notes=notes_of(results, remark) if headed else [],
            tables=[{"name": each, "map": self._tables.is_map(each)} for each in names],
            query=query,
            page=self._answer(query),
        )
        hear_apart(self.comm)
        self.observe(self._asked, "query")
        self.observe(self._plot_wanted, "wanted")

    def _asked(self, change: dict[str, Any]) -> None:
        with self._lock:
            self.page = self._answer(change["new"])

    def _answer(self, query: dict[str, Any]) -> dict[str, Any]:
        name = query["table"]
        if not name:
            return {}
        begun = time.perf_counter()
        table, plots = self._table(name)
        asked = Query(
            start=max(int(query.get("start", 0)), 0),
            size=min(max(int(query.get("size", 10)), 1), _MOST),
            sort=str(query.get("sort", "")),
            descending=bool(query.get("descending", False)),
            words=str(query.get("words", "")),
        )
        page = table.page(asked)
        return {
            "number": query.get("number", 0),
            "table": name,
            "columns": [{"name": column, "right": right} for column, right in table.columns],
            "labels": page.labels,
            "rows": page.rows,
            "start": page.start,
            "size": asked.size,
            "sort": asked.sort,
            "descending": asked.descending,
            "words": asked.words,
            "matched": page.matched,
            "total": len(table),
            "plots": [each.words for each in plots],
            "milliseconds": round(1000 * (time.perf_counter() - begun), 1),
        }

    def _table(self, name: str) -> tuple[Table, list[Suggestion]]:
        if name not in self._made:
            frame = self._tables[name]
            self._made[name] = Table(frame), suggestions(frame)
        return self._made[name]

    def _plot_wanted(self, change: dict[str, Any]) -> None:
        wanted = change["new"]
        with self._lock:
            chosen = self._table(wanted["table"])[1][wanted["plot"]]
            drawn = {"number": wanted["number"], "code": self._code(chosen, wanted["table"]), "error": ""}
            theme = colours.DARK if wanted.get("dark") else colours.LIGHT
            width = min(max(wanted.get("width", 800) / _PIXELS, _NARROWEST), _WIDEST)
            picture = b""
            try:
                picture = self._picture(chosen, wanted["table"], Canvas(theme, width, offscreen=True))
            except LabError as error:
                drawn["error"] = error.block()
            with self.hold_sync():
                self.picture, self.drawn = picture, drawn

    def _picture(self, chosen: Suggestion, table: str, canvas: Canvas) -> bytes:
        plots = Plots(self._tables, canvas)
        axes = getattr(plots, chosen.method)(of=table, **chosen.arguments)
        into = io.BytesIO()
        axes.figure.savefig(into, format="png", dpi=2 * _PIXELS)
        return into.getvalue()

    def _code(self, chosen: Suggestion, table: str) -> str:
        is_main = table == next(iter(self._tables))
        arguments = dict(chosen.arguments) if is_main else {**chosen.arguments, "of": table}
        return Suggestion(chosen.method, chosen.words, arguments).code(self._name)
