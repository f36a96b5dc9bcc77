"""Printed lines as a frame."""

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.printk import printk_frame

CLOCK = TraceClock(10**12, 10**12, 10**18, 10**18)


def lines(*values, width: int) -> np.ndarray:
    fields = [
        ("ts", "<u8"),
        ("cpu", "<u4"),
        ("pid", "<u4"),
        ("tid", "<u4"),
        ("comm", "S16"),
        ("message", f"S{width}"),
    ]
    return np.array(list(values), fields)


@pytest.mark.parametrize("width", [8, 100])
def test_lines(width):
    frame = printk_frame(
        lines(
            (10**12 + 5, 1, 23, 24, b"cat", b"caf\xc3\xa9"),
            (10**12 + 6, 0, 25, 25, b"c\xff", b"\xfe a"),
            width=width,
        ),
        CLOCK,
    )
    text = pd.Series(["café", "\\xfe a"], dtype="str")
    expected = pd.DataFrame(
        {
            "ts": np.array([5, 6], "m8[ns]"),
            "cpu": np.array([1, 0], np.uint32),
            "pid": np.array([23, 25], np.uint32),
            "tid": np.array([24, 25], np.uint32),
            "comm": pd.Categorical(
                ["cat", "c\\xff"], categories=pd.Index(["c\\xff", "cat"], dtype=text.dtype)
            ),
            "message": text,
        }
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_no_lines():
    frame = printk_frame(lines(width=1), CLOCK)
    assert frame.columns.tolist() == ["ts", "cpu", "pid", "tid", "comm", "message"]
    assert frame["ts"].dtype == "m8[ns]"
    assert len(frame) == 0
