"""The view of a trace in a notebook, and what is left of it without one."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest

from ebpf_lab import page
from ebpf_lab.notebook.view.shown import Shown
from ebpf_lab.notebook.view.widget import View
from ebpf_lab.stats import Fact
from ebpf_lab.tables import Tables

EVIL = "<script>alert(1)</script>"


def events(count: int) -> pd.DataFrame:
    times = pd.to_timedelta([1_000_000 * at for at in range(count)], unit="ns")
    names = [EVIL if at % 2 else "sh" for at in range(count)]
    return pd.DataFrame({"ts": times, "pid": range(count), "comm": pd.Categorical(names)})


@dataclass
class Brought:
    """As much of a trace's results as a view looks at."""

    frames: dict[str, pd.DataFrame]
    maps: dict[str, pd.DataFrame] = field(default_factory=dict)
    facts: tuple[Fact, ...] = (Fact("23 events"), Fact("7 lost", bad=True), Fact("libbpf", minor=True))
    notes: tuple[str, ...] = (f"events: called {EVIL}",)
    header: str = "23 events · 7 lost · libbpf"
    built: int = 0

    @property
    def tables(self) -> Tables:
        def maps() -> dict[str, pd.DataFrame]:
            self.built += 1
            return self.maps

        return Tables(self.frames, list(self.maps), maps)

    @property
    def main(self) -> pd.DataFrame:
        return self.tables[self.main_name]

    @property
    def main_name(self) -> str:
        return next(iter(self.tables))


def brought(count: int = 23, **maps: pd.DataFrame) -> Any:
    return Brought({"events": events(count)}, maps)


def view(results: Any) -> Any:
    return View(results, "_bpf", "token")


# What stays


def test_the_static_view_says_how_much_it_shows() -> None:
    made = page.html(brought(1_000_000, calls=pd.DataFrame({"key": [1]})))
    assert "10 of 1,000,000 rows · not shown: calls" in made
    assert made.count("<tr") == 12  # the head, five, dots, five
    assert "0.000000000" in made
    assert "999.999000000" in made
    assert len(made) < 10_000
    few = page.html(brought(20))
    assert "20 rows" in few
    assert few.count("<tr") == 21
    assert "20 of 36 columns" in page.html(Brought({"events": pd.DataFrame([range(36)])}))


def test_what_was_traced_is_text() -> None:
    made = page.html(brought())
    assert "<script" not in made
    assert made.count("&lt;script&gt;") == 5  # a note, and every other row
    assert EVIL in page.text(brought())


def test_what_was_lost_is_red() -> None:
    assert re.findall(r"<b [^>]*color:#[0-9a-f]+'>([^<]+)</b>", page.header(brought())) == ["7 lost"]


def test_the_text_begins_with_the_header() -> None:
    lines = page.text(brought()).split("\n")
    assert lines[0] == "23 events · 7 lost · libbpf"
    assert lines[1].startswith("events: called")
    assert lines[2].split() == ["ts", "pid", "comm"]
    assert page.text(brought(), headed=False).split()[0] == "ts"


def test_a_trace_that_still_runs_says_so() -> None:
    for made in (page.html(brought(), remark=page.STILL), page.text(brought(), remark=page.STILL)):
        assert "it still runs: this is what came so far" in made
    shown = View(brought(), "_bpf", "token", remark=page.STILL)
    assert shown.notes[-1] == page.STILL
    shown.close()


def test_tables_are_made_when_they_are_asked_for() -> None:
    results = brought(calls=pd.DataFrame({"key": [1]}))
    assert (list(results.tables), results.built) == (["events", "calls"], 0)
    shown = view(results)
    assert results.built == 0
    shown.query = {"number": 1, "table": "calls"}
    assert (shown.page["total"], results.built) == (1, 1)
    with pytest.raises(KeyError):
        results.tables["nothing"]


# What lives


def test_the_view_answers() -> None:
    shown = view(brought(2003))
    assert [fact["bad"] for fact in shown.facts] == [False, True, False]
    assert (shown.page["total"], shown.page["matched"], len(shown.page["rows"])) == (2003, 2003, 10)
    assert shown.page["columns"][1] == {"name": "pid", "right": True}
    shown.query = {"number": 7, "table": "events", "start": 10, "size": 25, "sort": "pid", "descending": True}
    assert shown.page["number"] == 7
    assert [row[1] for row in shown.page["rows"]] == [str(2002 - at) for at in range(10, 35)]
    shown.query = {"number": 8, "table": "events", "words": "script"}
    assert shown.page["matched"] == 1001
    assert shown.page["rows"][0][2] == EVIL
    shown.close()


def test_a_page_is_bounded_whatever_is_asked() -> None:
    shown = view(brought(2003))
    shown.query = {"number": 1, "table": "events", "size": 10**9, "start": -5}
    assert len(shown.page["rows"]) == 100
    shown.close()


def test_a_click_draws_and_says_how() -> None:
    shown = view(brought())
    at = shown.page["plots"].index("Counts: comm")
    shown.wanted = {"number": 1, "table": "events", "plot": at, "dark": True, "width": 700}
    assert shown.picture.startswith(b"\x89PNG")
    assert shown.drawn == {"number": 1, "code": "_bpf.plot.counts(column='comm')", "error": ""}
    shown.close()


def test_a_map_is_named_in_the_code() -> None:
    shown = view(brought(calls=pd.DataFrame({"nr_name": ["read", "write"], "count": [1, 2]})))
    shown.query = {"number": 1, "table": "calls"}
    shown.wanted = {"number": 1, "table": "calls", "plot": 0}
    assert shown.drawn["code"] == "_bpf.plot.counts(column='nr_name', of='calls')"
    shown.close()


def test_a_text_without_tables() -> None:
    assert view(Brought({})).page == {}


# The value of a cell


def test_a_cells_value_is_a_frame_and_what_is_made_of_it_an_ordinary_one() -> None:
    results = brought()
    shown = Shown.of(results)
    assert isinstance(shown, pd.DataFrame)
    pd.testing.assert_frame_equal(pd.DataFrame(shown), results.main)
    for made in (shown.head(), shown[shown.pid > 3], shown.copy(), pickle.loads(pickle.dumps(shown))):
        assert type(made) is pd.DataFrame
    assert shown["pid"].sum() == 253
