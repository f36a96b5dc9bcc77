"""What the benchmarks make of figures: goals, the exit status, what is kept and written."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__, document, kept
from benchmarks.harness import Effort, Goal, Result, Series, alternate, ratio

MADE = Result(
    name="made",
    title="Made up",
    unit="events",
    series=(Series("ours", (3.0, 1.0, 2.0)), Series("theirs & others'", (1.0, 1.0, 1.0))),
    goals=(Goal("ours / theirs", 2.0, 1.5, "×"), Goal("lost", 0, 0, "events", least=False)),
    notes=("A remark.",),
)
MISSED = Result(
    "missed", "Missed", "s", (Series("ours", (1.0,)),), goals=(Goal("more", 1, 2, "s", cause="Slow."),)
)
LOST = Result("lost", "Lost", "s", (Series("ours", (1.0,)),), unaccounted=1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Measurements that are made up, and a place for what they leave."""

    def find(name: str) -> object:
        def measured(effort: Effort) -> Iterator[Result]:
            yield {"ringbuf": MADE, "sizes": MISSED, "perfbuf": LOST}[name]

        return measured

    monkeypatch.setattr(__main__, "find", find)
    monkeypatch.setattr(kept, "BUILD", tmp_path)
    monkeypatch.setattr(document, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(document, "PLOTS", tmp_path / "plots")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["ringbuf"], 0),
        (["ringbuf", "sizes"], 1),
        (["--quick", "sizes"], 0),
        (["--quick", "perfbuf"], 1),
    ],
)
def test_a_missed_goal_or_a_missing_event_is_status_1(made: Path, arguments: list[str], status: int) -> None:
    assert __main__.main(arguments) == status


def test_a_name_that_is_none_is_wrong_usage(made: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        __main__.main(["nothing"])
    assert caught.value.code == 2


def test_what_is_kept_is_what_was_measured(made: Path) -> None:
    __main__.main(["ringbuf", "sizes"])
    again = kept.load(["ringbuf", "sizes", "decoded"])
    assert list(again) == ["ringbuf", "sizes"]
    assert again["ringbuf"].results == (MADE,)
    assert again["sizes"].results == (MISSED,)
    assert again["ringbuf"].moment.versions.keys() >= {"Linux", "pandas", "bcc"}


def test_little_work_is_not_kept(made: Path) -> None:
    __main__.main(["--quick", "ringbuf"])
    assert kept.load(["ringbuf"]) == {}


def test_the_page_has_every_figure_and_says_why_a_goal_is_missed(made: Path) -> None:
    __main__.main(["--write", "ringbuf", "sizes"])
    page = (made / "benchmarks.md").read_text()
    assert "| Made up: ours / theirs | 2 × | ≥ 1.5 × | reached |" in page
    assert "| Missed: more | 1 s | ≥ 2 s | **missed** |" in page
    assert "- Missed: more. Slow." in page
    assert "| ours | 2 | 1 | 3 |" in page
    assert "A remark." in page
    for path in ("ringbuf-1.svg", "sizes-1.svg"):
        assert f"](benchmarks/{path})" in page
        assert "prefers-color-scheme:dark" in (made / "plots" / path).read_text()
        ET.parse(made / "plots" / path)


def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return len(order)

    found = alternate({"a": lambda: side("a"), "b": lambda: side("b")}, rounds=2)
    assert order == ["a", "b"] * 3
    assert found["a"].values == (3, 5)
    assert ratio(found["b"], found["a"]) == (4 / 3 + 6 / 5) / 2
