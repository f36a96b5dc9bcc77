"""The Inside view: each program's C beside its bytecode and native code, and the flow through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files
from pathlib import Path

from ebpf_lab.inside import page
from ebpf_lab.inside.graph import graph
from ebpf_lab.inside.page import Block, Row, Section
from ebpf_lab.inside.panes import HIDDEN, c_pane, code_pane
from ebpf_lab.inside.parts import Part, Shown

_STATIC = files("ebpf_lab.inside") / "static"


@dataclass(frozen=True, slots=True, repr=False)
class Inside:
    """What a trace's programs became; a notebook shows it linked, a terminal as text.

    Attributes
    ----------
    programs : tuple of Shown
    text : str
        The learner's C.
    notes : tuple of str
        What is not there, and why.
    colours : str
        CSS variables.
    """

    programs: tuple[Shown, ...]
    text: str
    notes: tuple[str, ...] = ()
    colours: str = ""

    def __repr__(self) -> str:
        notes = "".join(f"{note}\n" for note in self.notes)
        return notes + page.text([section for shown in self.programs for section in _sections(shown)])

    def _repr_html_(self) -> str:
        single = len(self.programs) == 1
        programs = "".join(
            _program(shown, self.text, unfolded=not number, whole=single)
            for number, shown in enumerate(self.programs)
        )
        notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in self.notes)
        style = f"{self.colours}{(_STATIC / 'inside.css').read_text('utf-8')}"
        script = (_STATIC / "inside.js").read_text("utf-8")
        return (
            f"<div class='ebpf-lab ebpf-inside'><style>{style}</style>{notes}{programs}</div>"
            f"<script>{script}</script>"
        )

    def noting(self, note: str) -> Inside:
        """The same, with one more thing that is not there."""
        return replace(self, notes=(*self.notes, note))

    def save(self, path: str | Path) -> Path:
        """Write the view into a file: as text if its name ends in ``.txt``, else as a page of its own.

        Raises
        ------
        OSError
        """
        path = Path(path)
        if path.suffix == ".txt":
            path.write_text(f"{self!r}\n", "utf-8")
        else:
            title = escape(", ".join(shown.name for shown in self.programs))
            path.write_text(
                f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
                f"<body class='ebpf-page'>{self._repr_html_()}</body></html>\n",
                "utf-8",
            )
        return path


def _program(shown: Shown, text: str, *, unfolded: bool, whole: bool) -> str:
    facts = escape(", ".join(shown.facts))
    native = any(group.native for group in shown.groups)
    options = "".join(
        f"<option value='{number}'>{escape(each.name)}</option>" for number, each in enumerate(shown.measures)
    )
    meanings = "".join(
        f"<span class='meaning'{HIDDEN if number else ''}><b>{escape(each.name)}:</b> "
        f"{escape(each.meaning)}</span>"
        for number, each in enumerate(shown.measures)
    )
    head = "bytecode, and the native code that came of it" if native else "bytecode"
    return (
        f"<details class='program'{' open' if unfolded else ''}><summary><b>{escape(shown.name)}</b> "
        f"<span class='f'>{facts}</span></summary>"
        f"<div class='heat'><label class='pick'>numbers beside the C: <select{HIDDEN}>{options}</select>"
        f"</label> {meanings}</div>"
        f"<div class='panes'><div><div class='head'>C</div>"
        f"<pre class='c'>{c_pane(shown, text, whole=whole)}</pre></div>"
        f"<div><div class='head'>{head}</div><pre class='code'>{code_pane(shown)}</pre></div></div>"
        f"{''.join(_flow(part, shown) for part in shown.parts)}</details>"
    )


def _flow(part: Part, shown: Shown) -> str:
    blocks = f"{len(part.blocks)} block{'' if len(part.blocks) == 1 else 's'}"
    name = "" if len(shown.parts) == 1 else f" of {escape(part.function.name)}"
    return (
        f"<details class='graph' open><summary>flow{name} <span class='f'>{blocks}</span></summary>"
        f"{graph(part)}</details>"
    )


def _sections(shown: Shown) -> Sequence[Section]:
    made = []
    for number, part in enumerate(shown.parts):
        blocks = []
        for group in part.groups:
            rows = [Row(str(each.instruction.number), each.label, each.text) for each in group.bytecode]
            rows += [Row("", "", "")] * (len(group.native) - len(rows))
            for at, each in enumerate(group.native):
                note = f"{each.offset:3x} {each.label:<3} {each.text}"
                rows[at] = Row(rows[at].at, rows[at].label, rows[at].code, note)
            blocks.append(Block(*group.line, group.source, rows))
        facts = ", ".join(shown.facts) if not number else f"called by {shown.name}"
        made.append(Section(part.function.name, facts, blocks))
    return made
