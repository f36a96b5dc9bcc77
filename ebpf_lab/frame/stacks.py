"""Stack traces: as a frame of addresses and names, and as one line of text for each event.

A stack trace map keeps each call chain under a number, which events and map keys carry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ebpf_lab.frame.columns import text_array
from ebpf_lab.frame.decoders import errno_naming
from ebpf_lab.frame.distinct import Values, factorise
from ebpf_lab.frame.hexint import HexArray

Addresses: TypeAlias = NDArray[np.uint64]
Symbolise: TypeAlias = Callable[[Addresses], Sequence[str]]
"""Names of code addresses, one for each."""

STACK_COLUMN = re.compile(r"((?:\w+[._])?(?:[ku]_?|kernel_?|user_?|kern_?|usr_?)?stack)_?id")


@dataclass(frozen=True, slots=True)
class StackNames:
    """Call chains as text, outermost function first: ``main;work;malloc``.

    Attributes
    ----------
    stacks : mapping
        Addresses by stack id, the innermost frame first, as the kernel keeps them.
    kernel : callable
        Names kernel addresses.
    user : callable
        Names the addresses of a process, given its PID; addresses of unknown processes are asked with 0.
    """

    stacks: Mapping[int, Addresses]
    kernel: Symbolise
    user: Callable[[int, Addresses], Sequence[str]]

    def text(self, stack_id: int, pid: int = 0) -> str:
        """Return one call chain; ``pid`` is the process that it belongs to, where it is none of the kernel's.

        What could not be had reads ``[EFAULT]``: the helper's error in place of an id.
        """
        if stack_id < 0:
            return f"[{errno_naming(positive=False)(stack_id) or stack_id}]"
        addresses = self.stacks.get(stack_id)
        if addresses is None:
            return f"[stack {stack_id}]"
        return fold(self.kernel(addresses) if in_kernel(addresses) else self.user(pid, addresses))

    def column(self, ids: NDArray[np.int64], pids: NDArray[np.int64] | None) -> pd.Categorical:
        """Return the call chains of a whole column.

        Parameters
        ----------
        ids : (n,) int64
        pids : (n,) int64 or None
            The processes, where known.
        """
        owners = np.zeros_like(ids)
        if pids is not None:
            # The kernel's functions have the same names in every process: named once each.
            shared = [stack_id for stack_id, addresses in self.stacks.items() if in_kernel(addresses)]
            owners = np.where(np.isin(ids, shared), 0, pids)
        codes, keys = factorise([ids.view(np.uint64), owners.view(np.uint64)], len(ids))
        texts = Values(len(ids), lambda key: self.text(*key))
        texts.put(slice(None), codes, [tuple(np.frombuffer(key, "<i8").tolist()) for key in keys])
        return texts.categorical()


def in_kernel(addresses: Addresses) -> bool:
    """Whether a call chain is one of the kernel's, and not of a process."""
    # On both architectures, and all 64-bit ones, the upper half of the addresses is the kernel's.
    return len(addresses) > 0 and int(addresses[0]) >> 63 == 1


def fold(names: Sequence[str]) -> str:
    """Join the functions of a call chain, given innermost first, as flame graph tools read them."""
    return ";".join(name.replace(";", ":") for name in reversed(names))


def fold_stacks(stacks: Mapping[int, Addresses], symbolise: Symbolise) -> dict[int, str]:
    """Return the call chain of each stack id as text, outermost function first.

    Parameters
    ----------
    stacks : mapping
        Addresses by stack id, innermost first.
    symbolise : callable
        Names addresses.

    Examples
    --------
    >>> fold_stacks({7: np.array([2, 1], np.uint64)}, lambda found: [f"f{address}" for address in found])
    {7: 'f1;f2'}
    """
    return {stack_id: fold(symbolise(addresses)) for stack_id, addresses in stacks.items()}


def stack_frame(stacks: Mapping[int, Addresses], symbolise: Symbolise) -> pd.DataFrame:
    """Return stack traces, one row for each function on each.

    Parameters
    ----------
    stacks : mapping
        Addresses by stack id, innermost first.
    symbolise : callable
        Names addresses; called once, for all of them.

    Returns
    -------
    DataFrame
        stack_id : int64, depth : int64 (0 is innermost), address : hex, symbol : category
    """
    ordered = sorted(stacks)
    lengths = [len(stacks[stack_id]) for stack_id in ordered]
    addresses = np.concatenate(
        [np.empty(0, np.uint64), *(np.asarray(stacks[stack_id], np.uint64) for stack_id in ordered)]
    )
    distinct, codes = np.unique(addresses, return_inverse=True)
    names = list(symbolise(distinct)) if len(distinct) else []
    depths = [np.arange(length) for length in lengths]
    return pd.DataFrame(
        {
            "stack_id": np.repeat(np.array(ordered, np.int64), lengths),
            "depth": np.concatenate([np.empty(0, np.int64), *depths]),
            "address": HexArray(addresses),
            "symbol": pd.Categorical(text_array(np.array(names, object)[codes.reshape(-1)])),
        },
        copy=False,
    )
