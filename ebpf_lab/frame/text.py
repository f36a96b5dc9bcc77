"""Events of which no type is known: their bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ebpf_lab.readers.batch import Batch


def raw_frame(batches: Sequence[Batch]) -> pd.DataFrame:
    """Return events as bytes, in the order they arrived.

    Returns
    -------
    DataFrame
        size : int64 [bytes, as the kernel delivered them], data : bytes
    """
    count = sum(map(len, batches))
    positions = np.concatenate([np.empty(0, np.int64), *(batch.positions() for batch in batches)])
    data = np.empty(count, object)
    at = 0
    for batch in batches:
        for record in batch.data:
            data[at] = record.tobytes()
            at += 1
    sizes = np.repeat([batch.record_size for batch in batches], [len(batch) for batch in batches])
    order = np.argsort(positions, kind="stable")
    return pd.DataFrame({"size": sizes.astype(np.int64)[order], "data": data[order]}, copy=False)
