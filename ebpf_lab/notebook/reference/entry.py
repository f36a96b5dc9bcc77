"""What there is to say of a name, as plain text and as HTML."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

_WIDTH = 88
_TYPE_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """What there is to say of a name.

    Attributes
    ----------
    name : str
    kind : str
        In a word or two: "helper", "map type", "struct".
    signature : str
        As C declares or uses it.
    text : str
        One paragraph.
    since : str
        The first Linux that has it.
    programs : str
        Types of programs that may use it.
    dialect : str
        "bcc" or "libbpf" where the other one has it not.
    context : str
        What a program of this type is given.
    members : tuple of (str, str)
        Of a struct or tracepoint: name and type.
    example : str
        C.
    """

    name: str
    kind: str
    signature: str = ""
    text: str = ""
    since: str = ""
    programs: str = ""
    dialect: str = ""
    context: str = ""
    members: tuple[tuple[str, str], ...] = ()
    example: str = ""

    def _facts(self) -> Iterator[tuple[str, str]]:
        if self.context:
            yield "context", self.context
        if self.since:
            yield "since", f"Linux {self.since}"
        if self.programs:
            yield "in", self.programs
        if self.dialect:
            yield "dialect", f"{self.dialect} alone"

    def _columns(self) -> str:
        width = min(max(len(made) for _, made in self.members), _TYPE_WIDTH)
        return "\n".join(f"{made:<{width}}  {name}" for name, made in self.members)

    def plain(self) -> str:
        """The entry as text."""
        parts = [f"{self.signature or self.name}    ({self.kind})"]
        if self.text:
            parts.append(textwrap.fill(self.text, _WIDTH, break_long_words=False, break_on_hyphens=False))
        facts = [
            textwrap.fill(f"{name:<8} {words}", _WIDTH, subsequent_indent=" " * 9, break_on_hyphens=False)
            for name, words in self._facts()
        ]
        if facts:
            parts.append("\n".join(facts))
        if self.members:
            parts.append(textwrap.indent(self._columns(), "    "))
        if self.example:
            parts.append(textwrap.indent(self.example, "    "))
        return "\n\n".join(parts)

    def html(self) -> str:
        """The entry for a notebook: colours are the page's own, so that it is readable in light and dark."""
        code = "font-family:var(--jp-code-font-family,monospace);white-space:pre-wrap"
        code += ";margin:0 0 6px;background:none"
        parts = [
            f'<pre style="{code};font-weight:600">{escape(self.signature or self.name)}'
            f'<span style="font-weight:400;opacity:.7">   {escape(self.kind)}</span></pre>'
        ]
        if self.text:
            parts.append(f'<p style="margin:0 0 6px;max-width:46em">{_marked(self.text)}</p>')
        cell = "text-align:left;vertical-align:top;padding:0;border:none"
        rows = "".join(
            f'<tr style="background:none"><td style="{cell};opacity:.7;padding-right:1em">{escape(name)}</td>'
            f'<td style="{cell};max-width:40em">{escape(words)}</td></tr>'
            for name, words in self._facts()
        )
        if rows:
            parts.append(f'<table style="margin:0 0 6px;border:none">{rows}</table>')
        if self.members:
            parts.append(f'<pre style="{code}">{escape(self._columns())}</pre>')
        if self.example:
            parts.append(f'<pre style="{code};padding-left:1em">{escape(self.example)}</pre>')
        return f'<div style="font-size:var(--jp-ui-font-size1,13px);line-height:1.4">{"".join(parts)}</div>'


def _marked(text: str) -> str:
    """Text as HTML, with what stands between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
