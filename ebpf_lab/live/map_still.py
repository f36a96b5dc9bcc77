"""The map inspector as it stood, in plain text and in HTML: for saved notebooks and pages without widgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from ebpf_lab.live import still

_UNFOLDED = 4
"""A program may have a dozen maps: with more than so many, all are folded."""


def bundle(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state by MIME type."""
    return {"text/plain": plain(state), "text/html": html(state)}


def plain(state: Mapping[str, Any]) -> str:
    """As text."""
    if state["error"]:
        return str(state["error"])
    parts = [_headline(state)]
    for table in state["tables"].values():
        names, rows = _cells(table)
        parts += [f"\n{_title(table)}", *still.aligned([names, *rows] if rows else [])]
    return "\n".join(parts)


def html(state: Mapping[str, Any]) -> str:
    """As HTML."""
    return still.page(state["phase"], "".join(_parts(state)), "ebpf-maps")


def _parts(state: Mapping[str, Any]) -> Iterator[str]:
    yield f"<div class='strip'><span class='phase'>{escape(state['phase'])}</span></div>"
    yield still.error(state["error"])
    if state["error"]:
        return
    yield f"<div class='about'>{escape(_headline(state))}</div>"
    for table in state["tables"].values():
        names, rows = _cells(table)
        kinds = ["number" if each["number"] else "" for each in table["columns"]]
        shown = still.table(list(zip(names, kinds, strict=True)), rows) if rows else ""
        unfolded = " open" if len(state["tables"]) <= _UNFOLDED else ""
        yield f"<details{unfolded}><summary>{escape(_title(table))}</summary>{shown}</details>"


def _headline(state: Mapping[str, Any]) -> str:
    probes = ", ".join(state["probes"])
    if not state["names"]:
        return f"no maps ({state['phase']}) · {probes}"
    return f"maps as they were {'at the end' if state['phase'] == 'ended' else 'then'} · {probes}"


def _title(table: Mapping[str, Any]) -> str:
    words = "element" if table["total"] == 1 else "elements"
    shown = "" if table["total"] <= still.ROWS else f", {still.ROWS} shown"
    return f"{table['name']}: {table['kind']}, {table['total']:,} {words}{shown}"


def _cells(table: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    return [each["name"] for each in table["columns"]], [row for _, row, _ in table["rows"][: still.ROWS]]
