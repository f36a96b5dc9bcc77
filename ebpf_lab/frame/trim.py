"""Give memory that was freed back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def trim() -> None:
    """Give back what malloc holds for later.

    glibc gives memory back by itself only where it is the last of a heap: batches that are freed one after
    the other, the first ones first, stay the process's until all are.  Other C libraries are left alone.
    """
    give_back = _malloc_trim()
    if give_back is not None:
        give_back(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows has no library without a name
        return None
    return found
