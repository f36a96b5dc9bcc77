"""Pages of a frame: what is sorted and found is what the texts of all its rows say."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.frame.shown import texts
from ebpf_lab.notebook.view.matching import contains, order
from ebpf_lab.notebook.view.table import Query, Table

ROWS = 997


def every_kind() -> pd.DataFrame:
    """A column of each kind that frames have, some with values that are missing."""
    random = np.random.default_rng(7)
    missing = random.random(ROWS) < 0.1
    numbers = random.integers(-(2**40), 2**40, ROWS)
    times = random.integers(-(10**10), 10**10, ROWS).astype("m8[ns]")
    spans = (10 ** (random.random(ROWS) * 12)).astype(np.int64).astype("m8[ns]")
    names = np.array([f"Name {number % 97}" for number in range(ROWS)], object)
    addresses = random.integers(0, 2**64, ROWS, np.uint64) >> random.integers(0, 64, ROWS).astype(np.uint64)
    nothing = np.where(missing, None, names)
    return pd.DataFrame(
        {
            "ts": np.where(missing, np.timedelta64("NaT"), times),
            "duration_ns": np.where(missing, np.timedelta64("NaT"), spans),
            "number": numbers,
            "unsigned": addresses,
            "small": numbers.astype(np.int8),
            "perhaps": pd.array(np.where(missing, None, numbers), "Int64"),
            "address": HexArray(addresses.copy(), missing.copy()),
            "comm": pd.Categorical(nothing),
            "file": pd.Series(nothing, dtype="str"),
            "object": pd.Series(nothing, dtype=object),
            "bytes": pd.Series([bytes([number % 256]) for number in range(ROWS)], dtype=object),
            "list": pd.Series([[number % 5, "x"] for number in range(ROWS)], dtype=object),
            "flag": numbers > 0,
            "real": np.where(missing, np.nan, numbers / 8),
        }
    )


FRAME = every_kind()


@pytest.mark.parametrize("name", list(FRAME))
@pytest.mark.parametrize(
    "word",
    ["7", "-1", "0.0", "12", "name 9", "µs", "1.5", "0x1", "ff", "x9", "x", "none", "nat", "true", "-", "ä"],
)
def test_a_word_is_found_where_it_is_shown(name: str, word: str) -> None:
    shown = [text is not None and word in text.lower() for text in texts(FRAME[name])]
    assert contains(FRAME[name], word).tolist() == shown


@pytest.mark.parametrize("name", list(FRAME))
@pytest.mark.parametrize("descending", [False, True])
def test_rows_are_in_the_order_of_the_values(name: str, descending: bool) -> None:
    found = order(FRAME[name], descending)
    assert sorted(found.tolist()) == list(range(ROWS))
    values = FRAME[name].iloc[found]
    count = int(values.notna().sum())
    assert values.iloc[count:].isna().all()
    kept = [str(each) if isinstance(each, list) else each for each in values.iloc[:count]]
    assert kept == sorted(kept, reverse=descending)
    if not descending:
        positions = pd.Series(found[:count]).groupby(pd.Series(list(map(repr, kept))), sort=False)
        assert all(group.is_monotonic_increasing for _, group in positions)


def test_pages_follow_each_other_and_end() -> None:
    table = Table(FRAME)
    seen = [label for start in range(0, ROWS, 100) for label in table.page(Query(start, 100)).labels]
    assert seen == [str(each) for each in range(ROWS)]
    last = table.page(Query(10**9, 100))
    assert (last.start, len(last.rows), last.matched) == (900, 97, ROWS)


def test_words_columns_and_order_together() -> None:
    table = Table(FRAME)
    page = table.page(Query(sort="number", descending=True, words="comm:NAME 9 flag:true", size=1000))
    wanted = FRAME[FRAME["comm"].astype(object).map(lambda name: "Name" in str(name)) & FRAME["flag"]]
    wanted = wanted[[any("9" in (text or "") for text in _row(label)) for label in wanted.index]]
    assert page.labels == [str(each) for each in wanted.sort_values("number", ascending=False).index]
    assert page.matched == len(wanted)
    assert table.page(Query(words="nosuchword")).rows == []


def _row(label: Any) -> list[str | None]:
    return [texts(FRAME[name].loc[[label]])[0] for name in FRAME]


def test_values_are_texts_of_bounded_length() -> None:
    frame = pd.DataFrame({"file": ["<b>\x1b[1m", "x" * 5000], "key": np.array([2**64 - 1, 0], np.uint64)})
    page = Table(frame).page(Query())
    assert page.rows[0] == ["<b>\\x1b[1m", "18446744073709551615"]
    assert len(page.rows[1][0] or "") == 301


def test_labels_are_the_frames_own() -> None:
    frame = pd.DataFrame({"a": [3, 1, 2]}, index=pd.Index([10, 20, 31], name="event"))
    assert Table(frame).page(Query(sort="a")).labels == ["20", "31", "10"]


def test_no_rows_and_no_columns() -> None:
    for frame in (FRAME[:0], pd.DataFrame(), pd.DataFrame(index=range(3))):
        page = Table(frame).page(Query(words="x", sort="" if not len(frame.columns) else "ts"))
        assert page.rows == []


def test_a_million_rows() -> None:
    count = 1_000_000
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "ts": np.arange(count).astype("m8[ns]"),
            "pid": random.integers(1, 4_000_000, count).astype(np.uint32),
            "comm": pd.Categorical.from_codes(
                random.integers(0, 300, count), [f"comm-{n}" for n in range(300)]
            ),
        }
    )
    table = Table(frame)

    def seconds(query: Query) -> float:
        begun = time.process_time()
        table.page(query)
        return time.process_time() - begun

    # Bounds for a machine that is busy; alone it takes 1 ms, 0.3 s and 0.2 s.
    assert min(seconds(Query(start)) for start in (0, 500_000, 999_990)) < 0.05
    assert seconds(Query(sort="pid")) < 2
    assert seconds(Query(sort="pid", start=700_000)) < 0.05
    assert seconds(Query(words="comm-77")) < 2
