"""A live view as it stands, in plain text and in HTML: what is left of it in the notebook once it has ended.

The HTML has the same parts as the widget, so that it looks the same; where a notebook is not trusted, styles
are dropped and the text is there all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from ebpf_lab.plots import colours

ROWS = 25
"""Rows kept in the notebook."""
_TEXT_ROWS = 5
_WIDTH, _HEIGHT, _LEAST = 240, 28, 40
STATIC = Path(__file__).with_name("static")


@cache
def css() -> str:
    """The styles of views, and the lab's colours."""
    return colours.css() + (STATIC / "live.css").read_text()


def bundle(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state by MIME type."""
    return {"text/plain": plain(state), "text/html": html(state)}


def headline(state: Mapping[str, Any]) -> str:
    """One line: what came, or why nothing does."""
    if state["error"]:
        return str(state["error"]).partition("\n")[0]
    if state["header"]:
        return str(state["header"])
    probes = ", ".join(state["probes"])
    if state["phase"] == "preparing":
        return " · ".join(part for part in ("preparing", state["step"], probes) if part)
    counts = f"{state['events']:,} events · {state['lost']:,} lost · {state['seconds']:.2f} s"
    return f"{state['phase']} · {counts} · {probes}"


def plain(state: Mapping[str, Any]) -> str:
    """As text."""
    lines = [headline(state), *state["notes"], *state["error"].splitlines()[1:]]
    names = [name for name, _ in state["columns"]]
    lines += aligned([names, *state["rows"][:_TEXT_ROWS]] if state["rows"] else [])
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells, below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def html(state: Mapping[str, Any]) -> str:
    """As HTML."""
    return page(state["phase"], "".join(_parts(state)))


def page(phase: str, body: str, more: str = "") -> str:
    """A view's HTML around its parts."""
    return f"<style>{css()}</style><div class='ebpf-live ebpf-lab {more}' data-phase='{phase}'>{body}</div>"


def error(text: str) -> str:
    """Why a trace failed."""
    first, _, rest = text.partition("\n")
    return (
        f"<details class='error' open><summary>{escape(first)}</summary><pre>{escape(rest)}</pre></details>"
        if text
        else ""
    )


def _parts(state: Mapping[str, Any]) -> Iterator[str]:
    lost = f"<span class='lost{' some' if state['lost'] else ''}'>{state['lost']:,} lost</span>"
    yield (
        f"<div class='strip'><span class='phase'>{escape(state['phase'])}</span> "
        f"<span class='came'>{state['events']:,} event{'' if state['events'] == 1 else 's'}</span> {lost} "
        f"<span class='seconds'>{state['seconds']:.2f} s</span>{_line(state)}</div>"
    )
    yield error(state["error"])
    yield f"<div class='header'>{escape('' if state['error'] else headline(state))}</div>"
    yield f"<div class='notes'>{escape(chr(10).join(state['notes']))}</div>"
    if state["rows"]:
        names = [(name, "number" if number else "") for name, number in state["columns"]]
        rows = table(names, state["rows"][:ROWS])
        yield f"<div class='body'><div class='left'>{rows}</div><div class='right'>{_top(state)}</div></div>"
        yield f"<div class='sample'>{sample_words(state)}; the frame has them all</div>"


def sample_words(state: Mapping[str, Any]) -> str:
    """What part of the events rows and counts are of."""
    shown = f"the newest {min(len(state['rows']), ROWS)} rows"
    if state["decoded"] == state["came"]:
        return f"{shown}, counts of all {state['came']:,} events"
    return f"{shown} and counts of a sample: {state['decoded']:,} of {state['came']:,} events"


def _line(state: Mapping[str, Any]) -> str:
    points, seconds = state["points"], len(state["points"]) * state["point_seconds"]
    if len(points) < 2:
        return ""
    most = max(points) or 1.0
    step = _WIDTH / (max(len(points), _LEAST) - 1)
    first = _WIDTH - (len(points) - 1) * step
    path = " ".join(
        f"{first + at * step:.1f},{_HEIGHT - 1.5 - (_HEIGHT - 3) * y / most:.1f}"
        for at, y in enumerate(points)
    )
    return (
        f"<svg class='spark' viewBox='0 0 {_WIDTH} {_HEIGHT}' preserveAspectRatio='none' role='img'>"
        f"<title>events a second over the last {seconds:g} s, up to {most:,.0f}</title>"
        f"<polyline points='{path}'/></svg>"
    )


def _top(state: Mapping[str, Any]) -> str:
    top = state["top"]
    if not top["values"]:
        return ""
    most = top["values"][0][1]
    lines = [
        f"<li><span class='bar' style='width:{100 * count / most:.1f}%'></span>"
        f"<span class='name'>{escape(value) or '(none)'}</span> <span class='count'>{count:,}</span></li>"
        for value, count in top["values"]
    ]
    return f"<label>most frequent {escape(top['column'])}</label><ol class='top'>{''.join(lines)}</ol>"


def table(names: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as HTML, below the names of their columns, each with its class."""
    kinds = [kind for _, kind in names]
    head = "".join(f"<th class='{kind}'>{escape(name)}</th>" for name, kind in names)
    lines = [
        "".join(f"<td class='{kind}'>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    made = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f"<div class='scroll'><table class='rows'>{made}</table></div>"
