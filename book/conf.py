"""How Sphinx makes the book's pages: read by it, from the directory that build.py fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from IPython.lib.lexers import IPython3Lexer
from pygments.lexer import Lexer
from pygments.token import Keyword, Operator, _TokenType
from sphinx.application import Sphinx

from ebpf_lab.notebook.lexer import BpfLexer

project = html_title = "eBPF lab"
extensions = ["myst_nb"]
nb_execution_mode = "off"  # build.py has run the notebooks
nb_merge_streams = True
myst_heading_anchors = 3
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = ["theme.js"]
html_copy_source = False
html_show_sphinx = html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
html_permalinks_icon = "#"
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-dark"
suppress_warnings = ["misc.highlighting_failure"]  # programs that are broken on purpose

_MAGIC = "%%live"


class LiveLexer(Lexer):  # type: ignore[misc]  # Pygments has no types
    """A cell that looks at the running kernel: Python below a line that says so."""

    name = "Python in a %%live cell"
    aliases = ("ebpf-lab-live",)
    url = ""

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        """Each token with where it begins."""
        yield 0, Operator, _MAGIC[:2]
        yield 2, Keyword, _MAGIC[2:]
        at = len(_MAGIC)
        for begin, kind, value in IPython3Lexer().get_tokens_unprocessed(text[at:]):
            yield at + begin, kind, value


def _name_languages(app: Sphinx, doctree: nodes.document) -> None:
    """A notebook has one language, and cells of ours another."""
    for block in doctree.findall(nodes.literal_block):
        if block.rawsource.startswith("%%bpf"):
            block["language"] = BpfLexer.aliases[0]
        elif block.rawsource.startswith(_MAGIC):
            block["language"] = LiveLexer.aliases[0]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add what Sphinx cannot be told by settings."""
    for lexer in (BpfLexer, LiveLexer):
        app.add_lexer(lexer.aliases[0], lexer)
    app.connect("doctree-read", _name_languages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
