"""What a program could not do, by its own count.

A map called ``failures``, an array of u64 whose keys are an enumeration, counts what went wrong in a program
besides events that found no room, which the lab counts itself.  Each enumerator says in words what failed:
``UNREADABLE_NAME`` is shown as "unreadable name".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.host.syscalls import MapType
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.source.ctype import Enum, Int

FAILURES = "failures"
"""Name of the map."""
_ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)


def counts_failures(source: LoadedMap) -> bool:
    """Whether this is a map that counts failures."""
    is_array = source.name == FAILURES and source.type in _ARRAYS
    return (
        is_array and isinstance(source.key, Enum) and isinstance(source.value, Int) and source.value.size == 8
    )


def failures(source: LoadedMap, read: MapContents) -> dict[str, int]:
    """How often each thing failed, by what failed in words, over all CPUs."""
    assert isinstance(source.key, Enum)
    counts = read.values.view(np.uint64).sum(axis=(1, 2))
    found = dict(zip(read.keys.view(np.uint32)[:, 0].tolist(), counts.tolist(), strict=True))
    return {
        name.lower().replace("_", " "): found[value] for name, value in source.key.values if value in found
    }


def summary(counts: Mapping[str, int]) -> str:
    """The count in words: "0 failed", "3 failed (2 unreadable name, 1 no room for call)"."""
    parts = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return f"{sum(counts.values()):,} failed" + (f" ({parts})" if parts else "")
