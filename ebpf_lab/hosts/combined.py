"""Frames of several hosts as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from ebpf_lab.errors import UsageProblem


def combined(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put frames below each other, with a first column that says whose rows they are.

    Parameters
    ----------
    frames : mapping of DataFrame
        By host.

    Returns
    -------
    DataFrame
        ``host`` (``on_host`` where the events have a member of that name), a category, first; the columns
        keep their types where all hosts have the same, categories being those of all hosts.
    """
    hosts = list(frames)
    # The types of a frame without rows say nothing: what has no values has no units.
    filled = [host for host in hosts if len(frames[host])] or hosts[:1]
    parts = {host: frames[host].copy(deep=False) for host in filled}
    columns = list(dict.fromkeys(name for host in hosts for name in frames[host].columns))
    for name in columns:
        _same_categories([part for part in parts.values() if name in part.columns], name)
    made = pd.concat(parts.values(), ignore_index=True) if len(parts) > 1 else next(iter(parts.values()))
    made = made.reset_index(drop=True).reindex(columns=columns)
    lengths = [len(part) for part in parts.values()]
    codes = np.repeat([hosts.index(host) for host in parts], lengths)
    whose = pd.Categorical.from_codes(codes, categories=pd.Index(hosts))
    made.insert(0, host_column(columns), pd.Series(whose))
    return made


def host_column(columns: Sequence[str]) -> str:
    """What the column of hosts is called."""
    return "on_host" if "host" in columns else "host"


def common_time(frame: pd.DataFrame, column: str, clocks: pd.DataFrame) -> pd.Series[pd.Timedelta]:
    """Times of several hosts since the trace began on the first of them.

    Parameters
    ----------
    frame : DataFrame
    column : str
        Times (timedelta) since it began on the row's own host.
    clocks : DataFrame
        ``host`` and ``began``.
    """
    if column not in frame or frame[column].dtype.kind != "m":
        times = [name for name in frame.columns if frame[name].dtype.kind == "m"]
        raise UsageProblem(
            f"{column} is no column of times",
            hint=f"those are {', '.join(times)}" if times else "the events have none",
        )
    host = "on_host" if "on_host" in frame else "host"
    began = frame[host].astype(object).map(clocks.set_index("host").began)
    return frame[column] + began.astype("m8[ns]")


def _same_categories(parts: Sequence[pd.DataFrame], name: str) -> None:
    """Give a column of categories the same ones in all parts."""
    columns = [part[name] for part in parts]
    if len(columns) < 2 or not all(isinstance(each.dtype, pd.CategoricalDtype) for each in columns):
        return
    kinds = {(each.cat.ordered, each.cat.categories.dtype) for each in columns}
    if len(kinds) > 1 or columns[0].cat.ordered:
        return  # concat keeps equal ones, and makes plain values of those that cannot be compared
    union = union_categoricals([each.array for each in columns]).categories
    for part in parts:
        part[name] = part[name].cat.set_categories(union)
