"""Code beside its C lines: as HTML, a fold for each function, and as the same in plain text.

Each line of C has a tint of its own, so that one sees where the compiler has moved its parts. Colours are
laid over whatever the page has, which suits light and dark themes, and the text alone says everything: styles
are dropped where a notebook is not trusted.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape

MOST_ROWS = 1000
"""Rows of a function that are shown; the frame has all."""
_OPEN = 60
"""Rows of all functions up to which none is folded."""
_LONGEST_SOURCE, _LONGEST_CODE, _LONGEST_NOTE = 56, 60, 110

_PRE = (
    "margin:0.2em 0 0.8em;padding:0;overflow-x:auto;white-space:pre;line-height:1.35;"
    "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px);background:none"
)
_TINTS = (
    *("25,127,230", "230,144,25", "25,230,94", "162,25,230"),
    *("230,25,25", "25,229,230", "229,230,25", "230,25,161"),
)
_FAINT = "opacity:0.55"
_LABEL = "font-weight:bold"
_HEAD = "display:block;padding:0.5em 0 0.1em;font-style:italic;opacity:0.75"


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction: its place, its label if it is jumped to, its text, and what is said about it."""

    at: str
    label: str
    code: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Instructions in a row that come from one line.

    ``line`` is 0 for none; ``head`` are words to stand above, where something else begins.
    """

    file: str
    line: int
    source: str
    rows: list[Row] = field(default_factory=list)
    head: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A function, or the verifier's walk through one."""

    name: str
    note: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class _Widths:
    line: int
    source: int
    at: int
    label: int
    code: int


def tint(line: int) -> str:
    """The colour laid over what comes from a line, "" for none."""
    return f"rgba({_TINTS[line % len(_TINTS)]},0.12)" if line else ""


def html(sections: Sequence[Section]) -> str:
    """The listing as HTML."""
    shown = sum(len(block.rows) for section in sections for block in section.blocks)
    return "".join(_fold(section, unfolded=shown <= _OPEN or len(sections) == 1) for section in sections)


def text(sections: Sequence[Section]) -> str:
    """The listing as plain text."""
    return "\n".join(line for section in sections for line in _plain(section))


def _fold(section: Section, *, unfolded: bool) -> str:
    blocks, left_out = _first(section.blocks)
    widths = _widths(blocks)
    body = "".join(_block(block, widths) for block in blocks)
    more = f"<div style='{_FAINT}'>{_left_out(left_out)}</div>" if left_out else ""
    return (
        f"<details{' open' if unfolded else ''}><summary style='cursor:pointer'><b>{escape(section.name)}</b>"
        f" <span style='{_FAINT}'>{escape(section.note)}</span></summary>"
        f"<pre style='{_PRE}'>{body}</pre>{more}</details>"
    )


def _block(block: Block, widths: _Widths) -> str:
    # A tint needs a block of its own; without styles the line breaks in it are what is left.
    style = "display:block;min-width:max-content;padding:0 0.4em"
    if block.line:
        style += f";background:{tint(block.line)}"
    head = f"<span style='{_HEAD}'>{escape(block.head)}\n</span>" if block.head else ""
    rows = "".join(_row(row, margin, source, widths) for row, margin, source in _beside(block, widths))
    return f"{head}<span style='{style}'>{rows}</span>"


def _row(row: Row, margin: str, source: str, widths: _Widths) -> str:
    line = (
        f"<span style='{_FAINT}'>{escape(f'{margin:>{widths.line}}')}</span> "
        f"{escape(f'{source:<{widths.source}}')} "
        f"<span style='{_FAINT}'>│ {escape(f'{row.at:>{widths.at}}')}</span> "
    )
    if widths.label:
        line += f"<span style='{_LABEL}'>{escape(f'{row.label:<{widths.label}}')}</span> "
    line += escape(row.code)
    if row.note:
        space = " " * (max(widths.code - len(row.code), 0) + 2)
        whole = escape(row.note, quote=True)
        line += f"{space}<span style='{_FAINT}' title='{whole}'>{escape(_short(row.note))}</span>"
    return f"{line}\n"


def _plain(section: Section) -> Iterator[str]:
    yield f"{section.name}: {section.note}"
    blocks, left_out = _first(section.blocks)
    widths = _widths(blocks)
    for block in blocks:
        if block.head:
            yield block.head
        for row, margin, source in _beside(block, widths):
            line = f"{margin:>{widths.line}} {source:<{widths.source}} │ {row.at:>{widths.at}} "
            line += f"{row.label:<{widths.label}} " if widths.label else ""
            yield f"{line}{row.code:<{widths.code}}  {_short(row.note)}".rstrip()
    if left_out:
        yield _left_out(left_out)
    yield ""


def _beside(block: Block, widths: _Widths) -> Iterator[tuple[Row, str, str]]:
    """Each row with what stands left of it: the C line, over as many rows as there are, and cut there."""
    made = textwrap.wrap(
        block.source,
        max(widths.source, 8),
        subsequent_indent="    ",
        max_lines=len(block.rows),
        placeholder=" …",
        break_on_hyphens=False,
    )
    margin = _margin(block)
    for number, row in enumerate(block.rows):
        yield row, margin if not number else "", made[number] if number < len(made) else ""


def _short(note: str) -> str:
    return note if len(note) <= _LONGEST_NOTE else f"{note[: _LONGEST_NOTE - 1]}…"


def _margin(block: Block) -> str:
    if not block.line:
        return ""
    return f"{block.file}:{block.line}" if block.file else str(block.line)


def _widths(blocks: Sequence[Block]) -> _Widths:
    rows = [row for block in blocks for row in block.rows]
    return _Widths(
        max((len(_margin(block)) for block in blocks), default=0),
        min(max((len(block.source) for block in blocks), default=0), _LONGEST_SOURCE),
        max((len(row.at) for row in rows), default=0),
        max((len(row.label) for row in rows), default=0),
        min(max((len(row.code) for row in rows), default=0), _LONGEST_CODE),
    )


def _first(blocks: Sequence[Block]) -> tuple[list[Block], int]:
    """As many blocks as are shown, and the number of rows that are not."""
    shown: list[Block] = []
    room, total = MOST_ROWS, sum(len(block.rows) for block in blocks)
    for block in blocks:
        if room <= 0:
            break
        kept = block.rows[:room]
        shown.append(replace(block, rows=kept))
        room -= len(kept)
    return shown, max(total - MOST_ROWS, 0)


def _left_out(number: int) -> str:
    return f"{number:,} more rows are in the frame"
