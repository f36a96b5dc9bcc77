"""What a trace brought, as it stays: HTML and plain text, without a kernel, a script or a network.

It is what a saved notebook shows on GitHub, in an export and when its kernel is gone, so it says how much of
the whole it shows.  What a traced process wrote is text in it and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.shown import texts
from ebpf_lab.presentable import Presentable
from ebpf_lab.stats import Fact

_WHOLE = 20
"""Rows up to which all are shown."""
_ROWS, _COLUMNS = 10, 20
"""Rows, the first and the last, and columns that are shown of more."""
_BAD = "color:#dc322f"
_FAINT = "opacity:0.75"
_BLOCK = "font-size:var(--jp-content-font-size1,14px);line-height:1.5;margin:0.2em 0"


STILL = "it still runs: this is what came so far"
"""What there is to say of a running trace."""


def header(results: Presentable, remark: str = "") -> str:
    """The header line and the notes, as HTML; what is bad news is bold and red."""
    facts = [_fact(fact) for fact in results.facts]
    notes = "".join(f"<div style='{_FAINT}'>{escape(note)}</div>" for note in notes_of(results, remark))
    return f"<div style='{_BLOCK}'>{' · '.join(facts)}{notes}</div>"


def _fact(fact: Fact) -> str:
    if fact.bad:
        return f"<b style='{_BAD}'>{escape(fact.text)}</b>"
    return f"<span style='{_FAINT}'>{escape(fact.text)}</span>" if fact.minor else escape(fact.text)


def header_text(results: Presentable, remark: str = "") -> str:
    """The same as plain text."""
    return "\n".join((results.header, *notes_of(results, remark)))


def notes_of(results: Presentable, remark: str) -> list[str]:
    """The notes, and a remark where there is one."""
    return [*results.notes, *([remark] if remark else [])]


def html(results: Presentable, *, headed: bool = True, remark: str = "") -> str:
    """Header and table, as HTML."""
    top = header(results, remark) if headed else ""
    frame = _main(results)
    if frame is None:
        return top
    shown = frame.to_html(
        max_rows=_ROWS if len(frame) > _WHOLE else None,
        max_cols=_COLUMNS,
        show_dimensions=False,
        notebook=True,
        formatters={name: _shown(frame[name]) for name in frame if frame[name].dtype.kind == "m"},
    )
    return f"{top}{shown}<div style='{_BLOCK};{_FAINT}'>{escape(_extent(results, frame))}</div>"


def text(results: Presentable, *, headed: bool = True, remark: str = "") -> str:
    """Header and table, as plain text."""
    frame = _main(results)
    parts = [header_text(results, remark)] if headed else []
    return "\n".join(parts if frame is None else [*parts, repr(frame)])


def _shown(column: pd.Series[Any]) -> Callable[[Any], str]:
    """Writes a time as the live view does."""
    return lambda value: texts(pd.Series([value], dtype=column.dtype, name=column.name))[0] or ""


def _main(results: Presentable) -> pd.DataFrame | None:
    try:
        return results.main
    except UsageProblem:
        return None


def _extent(results: Presentable, frame: pd.DataFrame) -> str:
    rows, columns = frame.shape
    parts = [f"{_ROWS} of {rows:,} rows" if rows > _WHOLE else f"{rows:,} row{'' if rows == 1 else 's'}"]
    if columns > _COLUMNS:
        parts.append(f"{_COLUMNS} of {columns:,} columns")
    others = [name for name in results.tables if name != results.main_name]
    if others:
        parts.append(f"not shown: {', '.join(others)}")
    return " · ".join(parts)
