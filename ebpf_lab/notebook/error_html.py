"""An error as HTML: the marked lines within the learner's own source, why, fix, and the log folded.

Colours are laid over whatever the page has, so that the block suits light and dark themes, and everything
that matters is in the text as well: styles are dropped where a notebook is not trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import pandas as pd

from ebpf_lab.errors import LabError, Mark

_AROUND = 1
"""Lines of the source shown above and below a marked one."""
_FOLDED = 256 << 10
"""Characters of the log kept in the notebook with a failed cell."""
_WHOLE = 4 << 20
"""Characters of the log shown when it is asked for."""
_STEPS = 500
"""Steps of the path shown when it is asked for."""

_PRE = (
    "margin:0.3em 0;padding:0.3em 0.5em;overflow-x:auto;white-space:pre;line-height:1.35;"
    "font-family:var(--jp-code-font-family,monospace);background:rgba(128,128,128,0.08)"
)
_MARKED = "display:block;min-width:max-content;background:rgba({0},0.16)"
_CODE = "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px)"
_LABELLED = "white-space:pre-wrap;margin:0.2em 0;padding-left:2.9em;text-indent:-2.9em"
_LABEL = "display:inline-block;width:2.6em;text-indent:0"
_CARET = "color:rgb({0});font-weight:bold"
_RED, _AMBER = "220,50,47", "190,120,0"
_FAINT = "opacity:0.6"
_LOG = f"{_PRE};max-height:30em;overflow-y:auto"


def body(error: LabError) -> str:
    """What stands below the error's first line, which the notebook shows as every other error's."""
    return _block(error, _log(error, _FOLDED, unfolded=False))


def whole(error: LabError, path: pd.DataFrame | None) -> str:
    """Everything that is known: the first line too, the steps that led there, and the log unfolded."""
    name, _, what = first_line(error).partition(": ")
    title = f"<p style='margin:0.2em 0'><b style='color:#dc322f'>{escape(name)}</b>: {escape(what)}</p>"
    return _block(error, _steps(path) + _log(error, _WHOLE, unfolded=True), title)


def warnings(marks: Sequence[Mark], source: str, title: str) -> str:
    """What the compiler warned of in a text that it compiled."""
    said = f"<b style='color:rgb({_AMBER})'>{escape(title)}</b>"
    return f"<div><p style='margin:0.2em 0'>{said}</p>{_source(marks, source, _AMBER)}</div>"


def first_line(error: LabError) -> str:
    """The error's name and what went wrong."""
    return error.block().partition("\n")[0]


def _block(error: LabError, end: str, title: str = "") -> str:
    more = escape(error.what.partition("\n")[2])
    parts = [
        title,
        f"<pre style='{_PRE}'>{more}</pre>" if more else "",
        _source(error.where, error.source, _RED),
        _labelled("why", error.why),
        _labelled("fix", error.hint, _CODE),
        f"<div><b>{escape(error.replayed)}</b></div>" if error.replayed else "",
        end,
    ]
    return f"<div>{''.join(parts)}</div>"


def _labelled(label: str, text: str, style: str = "") -> str:
    if not text:
        return ""
    # A fix is often code, and its further lines stand below the first.
    said = f"<span style='{style}'>{escape(text)}</span>"
    return f"<div style='{_LABELLED}'><b style='{_LABEL}'>{label}</b> {said}</div>"


def _source(marks: Sequence[Mark], source: str, colour: str) -> str:
    if not marks:
        return ""
    return f"<pre style='{_PRE}'>{''.join(_lines(marks, source, colour))}</pre>"


def _lines(marks: Sequence[Mark], source: str, colour: str) -> Iterator[str]:
    written = {number: line for number, line in enumerate(source.split("\n"), 1)} if source else {}
    # A mark's own text is what it was made from, and all there is of the options above the C.
    written |= {mark.line: mark.text for mark in marks if mark.text}
    marked = {mark.line for mark in marks}
    shown = {
        line for mark in marked for line in range(mark - _AROUND, mark + _AROUND + 1) if line > 0 and mark > 0
    }
    numbers = sorted(marked | (shown & written.keys()))
    width = len(str(numbers[-1]))
    previous = numbers[0]
    for number in numbers:
        if number > previous + 1:
            yield f"<span style='{_FAINT}'>{'⋮':>{width + 3}}</span>\n"
        previous = number
        text = escape(written.get(number, "").expandtabs(1).rstrip())
        sign = ">" if number in marked else " "
        line = f"{sign} {number or '':>{width}} │ {text}"
        if number not in marked:
            yield f"<span style='{_FAINT}'>{line}</span>\n"
            continue
        yield f"<span style='{_MARKED.format(colour)}'>{line}\n</span>"
        margin = " " * (width + 2) + " │ "
        for mark in marks:
            if mark.line == number and (mark.column or mark.note):
                yield f"{margin}<span style='{_CARET.format(colour)}'>{escape(_caret(mark))}</span>\n"


def _caret(mark: Mark) -> str:
    if not mark.column:
        indent = len(mark.text) - len(mark.text.lstrip())
        return " " * indent + mark.note
    caret = " " * (mark.column - 1) + "^" + "~" * (max(mark.length, 1) - 1)
    return f"{caret} {mark.note}".rstrip()


def _steps(path: pd.DataFrame | None) -> str:
    if path is None or path.empty:
        return ""
    summary = f"the way there, {len(path):,} steps"
    if len(path) > _STEPS:
        summary += f", the last {_STEPS:,} of them (all: _bpf_error.path)"
    table = path.tail(_STEPS).to_html(index=False, escape=True, border=0)
    return f"<details open><summary>{summary}</summary>{table}</details>"


def _log(error: LabError, most: int, *, unfolded: bool) -> str:
    if not error.log:
        return ""
    summary = f"the whole log, {_count(error.log)}"
    if len(error.log) > most:
        summary = f"the log's end (all {_count(error.log)} of it: _bpf_error.log)"
    # The end says what is wrong.
    return (
        f"<details{' open' if unfolded else ''}><summary>{summary}</summary>"
        f"<pre style='{_LOG}'>{escape(error.log[-most:])}</pre></details>"
    )


def _count(log: str) -> str:
    number = log.count("\n") + (not log.endswith("\n"))
    return f"{number:,} line{'' if number == 1 else 's'}"
