"""The lab's colours, for plots and for what a notebook shows: one set on light ground, one on dark.

The series follow Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any colour vision tell
apart; those of their colours that are too faint on one of the grounds are darker or lighter here.  Text has a
contrast of at least 4.5 to its ground and what else carries meaning at least 3 (WCAG 2, level AA).
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours on one ground, as ``#rrggbb``.

    Attributes
    ----------
    ground : str
        What is drawn on.
    text, faint : str
        Text, and text that matters less.
    rule : str
        Lines that only guide the eye.
    accent, good, bad : str
        What can be clicked; what is as it should be; what is lost or failed.
    series : tuple of str
        For things to be told apart, in this order.
    ramp : tuple of str
        From few to many: more is further from the ground.
    """

    ground: str
    text: str
    faint: str
    rule: str
    accent: str
    good: str
    bad: str
    series: tuple[str, ...]
    ramp: tuple[str, ...]


LIGHT = Theme(
    ground="#ffffff",
    text="#1f1f1f",
    faint="#5f5f5f",
    rule="#dedede",
    accent="#0072b2",
    good="#007a59",
    bad="#c02020",
    series=("#00588c", "#d55e00", "#00a076", "#c873a2", "#7d5200", "#2a97dd", "#3c3c3c"),
    ramp=("#4a9bd1", "#00588c", "#00141f"),
)
DARK = Theme(
    ground="#111111",
    text="#ececec",
    faint="#a8a8a8",
    rule="#3a3a3a",
    accent="#56b4e9",
    good="#35c79a",
    bad="#ff7b72",
    series=("#56b4e9", "#d86410", "#00c791", "#f0c8e0", "#ffb81a", "#2f80c8", "#7c7c7c"),
    ramp=("#2f6f9f", "#56b4e9", "#f2fbff"),
)


def css() -> str:
    """The colours as CSS variables for elements of the class ``ebpf-lab``: ``--lab-bad``, ``--lab-series-0``…

    JupyterLab and Notebook say on the page which theme they have, VS Code too; elsewhere the browser knows.
    """
    dark = '[data-jp-theme-light="false"] .ebpf-lab, .vscode-dark .ebpf-lab'
    elsewhere = "body:not([data-jp-theme-light]):not([data-vscode-theme-kind]) .ebpf-lab"
    return (
        f".ebpf-lab {{ {_variables(LIGHT)} }}\n"
        f"{dark} {{ {_variables(DARK)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ {elsewhere} {{ {_variables(DARK)} }} }}\n"
    )


def _variables(theme: Theme) -> str:
    single = {each.name: getattr(theme, each.name) for each in fields(theme)}
    series = single.pop("series")
    del single["ramp"]
    named = {**single, **{f"series-{number}": colour for number, colour in enumerate(series)}}
    return " ".join(f"--lab-{name}: {colour};" for name, colour in named.items())
