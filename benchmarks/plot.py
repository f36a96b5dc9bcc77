"""A result as bars, in a drawing that is readable on light ground and on dark."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from benchmarks.harness import Result, figure
from ebpf_lab.plots.colours import DARK, LIGHT, Theme

_WIDTH, _LABELS, _VALUES = 720, 250, 70
_BAR, _STEP = 18, 28


def bars(result: Result) -> str:
    """A bar each side, as long as its median, with a line from its least to its most."""
    height = _STEP * len(result.series) + 44
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-labelledby="title"><title id="title">{escape(result.title)}</title>',
        f"<style>{_style()}</style>",
        *_rows(result),
        f'<text class="faint" x="{_LABELS}" y="{height - 12}">{escape(result.unit)};'
        f" {'longer' if result.more_is_better else 'shorter'} is better</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _rows(result: Result) -> Iterator[str]:
    most = max((max(series.values) for series in result.series), default=0) or 1
    scale = (_WIDTH - _LABELS - _VALUES) / most
    for at, series in enumerate(result.series):
        y = 8 + at * _STEP
        middle = y + _BAR / 2
        low, high = _LABELS + min(series.values) * scale, _LABELS + max(series.values) * scale
        length = max(series.median * scale, 1)
        kind = "ours" if at == 0 else "other"
        yield f'<text x="{_LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(series.side)}</text>'
        yield f'<rect class="{kind}" x="{_LABELS}" y="{y}" width="{length:.1f}" height="{_BAR}"/>'
        yield f'<path class="span" d="M{low:.1f} {middle}H{high:.1f}"/>'
        yield f'<text x="{max(high, _LABELS + length) + 8:.1f}" y="{y + 13}">{figure(series.median)}</text>'


def _style() -> str:
    return (
        "text{font:13px system-ui,sans-serif}"
        f"{_colours(LIGHT)}@media(prefers-color-scheme:dark){{{_colours(DARK)}}}"
    )


def _colours(theme: Theme) -> str:
    return (
        f"text{{fill:{theme.text}}}.faint{{fill:{theme.faint}}}.ours{{fill:{theme.series[0]}}}"
        f".other{{fill:{theme.series[1]}}}.span{{stroke:{theme.text};stroke-width:1.5}}"
    )
