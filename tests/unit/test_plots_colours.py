"""The lab's colours can be told apart and read, on light ground and on dark."""

from __future__ import annotations

import itertools

import pytest

from ebpf_lab.plots.colours import DARK, LIGHT, Theme, css

# How people see who lack one kind of cones: Machado, Oliveira, Fernandes, 2009, severity 1, on linear RGB.
DEFICIENCIES = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, seen: tuple[tuple[float, ...], ...]) -> list[float]:
    """CIE L*a*b* of a colour as somebody sees it."""
    light = linear(colour)
    red, green, blue = (min(max(sum(a * b for a, b in zip(row, light, strict=True)), 0), 1) for row in seen)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in (x, y, z))
    return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)]


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
class TestTheme:
    def test_text_can_be_read(self, theme: Theme) -> None:
        for colour in (theme.text, theme.faint, theme.accent, theme.good, theme.bad):
            assert contrast(colour, theme.ground) >= 4.5, colour

    def test_what_is_drawn_can_be_seen(self, theme: Theme) -> None:
        for colour in (*theme.series, *theme.ramp):
            assert contrast(colour, theme.ground) >= 3, colour

    def test_more_is_further_from_the_ground(self, theme: Theme) -> None:
        steps = [contrast(colour, theme.ground) for colour in theme.ramp]
        assert steps == sorted(steps)

    @pytest.mark.parametrize("seen", DEFICIENCIES)
    def test_series_can_be_told_apart(self, theme: Theme, seen: str) -> None:
        for one, other in itertools.combinations(theme.series, 2):
            pairs = zip(lab(one, DEFICIENCIES[seen]), lab(other, DEFICIENCIES[seen]), strict=True)
            assert sum((a - b) ** 2 for a, b in pairs) ** 0.5 > 15, (one, other)


def test_css_has_every_colour_for_either_ground() -> None:
    text = css()
    assert text.count("--lab-bad:") == 3
    assert f"--lab-series-0: {LIGHT.series[0]};" in text
    assert f"--lab-series-0: {DARK.series[0]};" in text
    assert text.count("{") == text.count("}")
