"""Columns of addresses: what they print, compare, sort, group and join like."""

import io
import pickle

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.frame.hexint import HexArray, HexDtype

KERNEL = 0xFFFF_8880_0000_0000


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"ptr": HexArray(np.array([KERNEL, 5, 5, 0], np.uint64)), "n": [1, 2, 3, 4]})


def values(series: pd.Series) -> list:
    return series.tolist()


def test_prints_in_hexadecimal(frame):
    assert "0xffff888000000000" in repr(frame)
    assert "<td>0xffff888000000000</td>" in frame._repr_html_()
    assert frame["ptr"].astype(str).tolist() == ["0xffff888000000000", "0x5", "0x5", "0x0"]
    assert "0xffff888000000000" in repr(frame.set_index("ptr"))


def test_holds_integers(frame):
    assert frame["ptr"].dtype == "hex"
    assert repr(frame["ptr"].dtype) == "hex"
    assert frame["ptr"].iloc[0] == KERNEL
    assert type(frame["ptr"].iloc[0]) is int
    assert frame["ptr"].to_numpy().dtype == np.uint64
    assert frame["ptr"].astype("uint64").tolist() == [KERNEL, 5, 5, 0]
    assert frame["ptr"].map(hex).tolist()[0] == "0xffff888000000000"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda s: s == 5, [False, True, True, False]),
        (lambda s: s != 5, [True, False, False, True]),
        (lambda s: s > 4, [True, True, True, False]),
        (lambda s: s >= KERNEL, [True, False, False, False]),
        (lambda s: s < 2**70, [True, True, True, True]),
        (lambda s: s > -1, [True, True, True, True]),
        (lambda s: s == -1, [False, False, False, False]),
        (lambda s: s == pd.NA, [False, False, False, False]),
        (lambda s: s == s, [True, True, True, True]),
        (lambda s: s == np.array([KERNEL, 0, 5, 0], np.uint64), [True, False, True, True]),
        (lambda s: s.isin([5, KERNEL]), [True, True, True, False]),
    ],
)
def test_compares_with_integers(frame, operation, expected):
    assert values(operation(frame["ptr"])) == expected


def test_calculates(frame):
    ptr = frame["ptr"]
    assert values(ptr & 0xF) == [0, 5, 5, 0]
    assert values(ptr | 1) == [KERNEL + 1, 5, 5, 1]
    assert values(ptr ^ ptr) == [0, 0, 0, 0]
    assert (ptr + 8).dtype == "hex"
    assert values(8 + ptr) == [KERNEL + 8, 13, 13, 8]
    distance = ptr - 6
    assert distance.dtype == "Int64"
    assert values(distance)[1:] == [-1, -1, -6]
    with pytest.raises(TypeError):
        ptr * 2
    with pytest.raises(ValueError, match="lengths must match"):
        ptr.array.__eq__(np.array([1, 2]))


def test_sorts_groups_and_counts(frame):
    assert values(frame.sort_values("ptr")["n"]) == [4, 2, 3, 1]
    assert frame.groupby("ptr")["n"].sum().to_dict() == {0: 4, 5: 5, KERNEL: 1}
    assert frame["ptr"].value_counts().to_dict() == {5: 2, KERNEL: 1, 0: 1}
    assert frame["ptr"].nunique() == 3
    assert len(frame.drop_duplicates("ptr")) == 3
    assert (frame["ptr"].min(), frame["ptr"].max()) == (0, KERNEL)
    with pytest.raises(TypeError, match="mean"):
        frame["ptr"].mean()
    assert list(frame.describe().columns) == ["n"]


def test_slices_joins_and_missing(frame):
    assert values(frame[1:3]["ptr"]) == [5, 5]
    assert values(frame.loc[[3, 0], "ptr"]) == [0, KERNEL]
    assert frame.query("ptr == 5")["n"].tolist() == [2, 3]
    both = pd.concat([frame, frame])
    assert both["ptr"].dtype == "hex"
    assert len(frame.merge(frame, on="ptr")) == 6
    moved = frame["ptr"].shift(1)
    assert moved.dtype == "hex"
    assert moved.isna().tolist() == [True, False, False, False]
    assert values(moved == KERNEL) == [False, True, False, False]
    assert values(moved != KERNEL) == [True, False, True, True]
    assert moved.fillna(7).tolist() == [7, KERNEL, 5, 5]
    assert moved.value_counts(dropna=False).sum() == 4
    assert moved.min() == 5
    assert moved.min(skipna=False) is pd.NA
    with pytest.raises(ValueError, match="missing"):
        moved.to_numpy(np.uint64)
    assert values(moved.dropna()) == [KERNEL, 5, 5]
    assert moved.sort_values().isna().tolist() == [False, False, False, True]


def test_survives_files(frame):
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype={"ptr": "hex"})
    pd.testing.assert_frame_equal(again, frame)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(frame)), frame)


def test_takes_values_as_given():
    series = pd.Series([1, None, KERNEL], dtype="hex")
    assert series.isna().tolist() == [False, True, False]
    series[1] = 3
    series[2] = pd.NA
    assert series.tolist() == [1, 3, pd.NA]
    series[0:2] = [8, 9]
    assert series.tolist() == [8, 9, pd.NA]
    with pytest.raises(TypeError):
        series[0] = "0x5"
    with pytest.raises(TypeError):
        HexArray(np.array([1]))
    assert pd.api.types.pandas_dtype("hex") == HexDtype()
    assert pd.Series([5, 6], dtype="hex").astype("Int64").tolist() == [5, 6]


def test_a_copy_is_independent(frame):
    copy = frame.copy()
    copy.loc[0, "ptr"] = 1
    assert frame["ptr"].iloc[0] == KERNEL
    assert HexArray(np.zeros(3, np.uint64)).nbytes == 27
