"""What every plot is drawn on: axes in the lab's style, which no parameter has to mend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ebpf_lab.frame.shown import elided, printable
from ebpf_lab.plots.colours import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

LONGEST_NAME = 40
"""Characters of a name beside an axis."""
_LONGEST_ENTRY = 26
"""Characters of a name in a legend."""
_OWN = "ebpf-lab"
"""Marks axes that have a figure to themselves: what is written around them has its place there."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where plots go.

    Attributes
    ----------
    theme : Theme
        A figure in a notebook has a light ground of its own, which can be read on a dark page, too.
    width : float
        Inches.
    offscreen : bool
        The figure is the caller's to render, and not shown by the notebook.
    """

    theme: Theme = LIGHT
    width: float = 8.0
    offscreen: bool = False

    @contextlib.contextmanager
    def axes(self, height: float, given: Axes | None) -> Iterator[Axes]:
        """Axes to draw in: new ones of that height [inches], or those that were given."""
        import matplotlib

        if given is None and not self.offscreen:
            from matplotlib import pyplot

            # Loads the backend if need be. A notebook's makes pyplot interactive when loaded; in the context
            # that would be taken back at the end, and no later figure be shown.
            pyplot.draw_if_interactive()  # type: ignore[no-untyped-call]
        with matplotlib.rc_context(self._style()):
            if given is None:
                given = self._new(height)
                given.set_gid(_OWN)
            yield given

    def _new(self, height: float) -> Axes:
        size = (self.width, height)
        if self.offscreen:
            from matplotlib.figure import Figure

            return Figure(figsize=size, layout="constrained").subplots()
        from matplotlib import pyplot

        _, axes = pyplot.subplots(figsize=size, layout="constrained")
        return axes

    def _style(self) -> Any:
        theme = self.theme
        return {
            "figure.facecolor": theme.ground,
            "savefig.facecolor": theme.ground,
            "axes.facecolor": theme.ground,
            "axes.edgecolor": theme.faint,
            "axes.labelcolor": theme.text,
            "axes.axisbelow": True,
            "axes.grid": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": theme.rule,
            "grid.linewidth": 0.8,
            "text.color": theme.text,
            "xtick.color": theme.faint,
            "ytick.color": theme.faint,
            "xtick.labelcolor": theme.text,
            "ytick.labelcolor": theme.text,
            "font.size": 10,
            "figure.dpi": 100,
            "legend.frameon": False,
            # Names come from the traced: one with dollar signs is no formula.
            "text.parse_math": False,
        }

    def title(self, axes: Axes, words: str, more: str = "") -> None:
        """Write above a plot what it shows and, smaller, what else is to be known."""
        if axes.get_gid() != _OWN:
            axes.set_title(f"{words}\n{more}" if more else words, loc="left", fontsize="medium")
            return
        # At the figure's edge and not the axes', which begin behind the longest name.
        heading = axes.figure.suptitle(
            f"{words}\n" if more else words, x=0.012, ha="left", fontweight="bold", fontsize="large"
        )
        if more:
            line = axes.annotate(
                more,
                (0, 0),
                xycoords=heading,
                va="bottom",
                ha="left",
                color=self.theme.faint,
                annotation_clip=False,
            )
            line.set_in_layout(False)

    def count_along(self, axes: Axes, direction: str) -> None:
        """Make the ticks of an axis ("x" or "y") whole numbers, with lines to guide the eye."""
        from matplotlib.ticker import MaxNLocator

        axis = axes.xaxis if direction == "x" else axes.yaxis
        axis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_major_formatter("{x:,.0f}")
        axis.grid(visible=True)

    def ramp(self) -> Colormap:
        """The colours of quantities."""
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list("ebpf-lab", list(self.theme.ramp))

    def say(self, axes: Axes, title: str, sentence: str) -> Axes:
        """Write a sentence where there is nothing to draw."""
        axes.set_axis_off()
        self.title(axes, title)
        axes.text(0.5, 0.5, sentence, ha="center", va="center", color=self.theme.faint, wrap=True)
        return axes

    def legend(self, axes: Axes, names: Sequence[str], handles: Sequence[Any], title: str) -> None:
        """Say below the plot which colour is what."""
        shown = [elided(printable(name), _LONGEST_ENTRY) for name in names]
        options: dict[str, Any] = {"ncols": min(len(shown), 4), "title": title, "alignment": "left"}
        if axes.get_gid() == _OWN:
            axes.figure.legend(handles, shown, loc="outside lower left", **options)
        else:
            axes.legend(handles, shown, **options)


def name(text: object) -> str:
    """A name as it stands beside an axis."""
    return elided(printable(str(text)), LONGEST_NAME)
