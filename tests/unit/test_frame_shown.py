"""Values as people read them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.frame.shown import elided, printable, span, texts


@pytest.mark.parametrize(
    ("nanoseconds", "said"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1000, "1 µs"),
        (1024, "1.02 µs"),
        (999_600, "1 ms"),
        (131_071, "131 µs"),
        (2.5e9, "2.5 s"),
        (-1500, "-1.5 µs"),
        (86_400e9, "86,400 s"),
    ],
)
def test_span(nanoseconds: float, said: str) -> None:
    assert span(nanoseconds) == said


def test_a_long_name_loses_its_middle() -> None:
    assert elided("abcdefghij", 4) == "ab…ij"
    assert elided("abcde", 4) == "abcde"


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[1m\n‮b") == "a\\x1b[1m\\n\\u202eb"
    assert printable("Größe <b>") == "Größe <b>"


def test_columns_as_texts() -> None:
    def shown(values: object, name: str = "x") -> list[str | None]:
        return texts(pd.Series(values, name=name))

    words = HexArray(np.array([2**64 - 1, 0], np.uint64), np.array([False, True]))
    assert shown(words) == ["0xffffffffffffffff", None]
    assert shown(np.array([2**64 - 1], np.uint64)) == ["18446744073709551615"]
    assert shown(np.array([1_000_000_001, -7, "NaT"], "m8[ns]"), "ts") == [
        "1.000000001",
        "-0.000000007",
        None,
    ]
    assert shown(np.array([1500], "m8[ns]"), "duration_ns") == ["1.5 µs"]
    assert shown(pd.Categorical(["<script>", None])) == ["<script>", None]
    assert shown([[1, "a\x00"], [2]]) == ["[1, a\\x00]", "[2]"]
    assert shown([np.arange(100)])[0] == f"[{', '.join(map(str, range(64)))}, …]"
    assert shown([b"\xff", None]) == ["b'\\xff'", None]
    assert shown(pd.array([1, None], "Int64")) == ["1", None]
    assert shown([True, False]) == ["True", "False"]
    assert shown([1.5, np.nan]) == ["1.5", None]
