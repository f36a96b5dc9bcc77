"""Names of the kernel's functions and tracepoints, as /proc/kallsyms lists them."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")
_MODULES = Path("/proc/modules")
_FUNCTION = re.compile(rb"^\S+ [tTwW] (\S+)", re.MULTILINE)
_RAW_TRACEPOINT = re.compile(rb"^\S+ [tTwW] __traceiter_(\w+)", re.MULTILINE)
# Padding before functions, compiler-made bodies and tracepoint plumbing: real symbols that nobody means.
_NOT_MEANT = re.compile(
    rb"__pfx_|__cfi_|__traceiter_|__bpf_trace_|__probestub_|.*\.cold|bpf_prog_|\.L|__SC[KT]__"
)


class Names:
    """The names in a list of symbols.

    Parameters
    ----------
    text : bytes
        As /proc/kallsyms has it: one symbol a line; empty where the kernel gives none.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text

    def __bool__(self) -> bool:
        return bool(self._text)

    def count(self, function: str) -> int:
        """How many functions of the kernel and its modules have exactly this name."""
        return len(re.findall(rb" [tTwW] " + re.escape(function.encode()) + rb"(?=[\t\n])", self._text))

    def variants(self, function: str) -> list[str]:
        """What the compiler made of a function for some of its callers ("NAME.isra.0"), sorted."""
        made = rb" [tTwW] (" + re.escape(function.encode()) + rb"\.(?:isra|constprop|part)\.[\w.]+)[\t\n]"
        found = {name for name in re.findall(made, self._text) if b".cold" not in name}
        return sorted(name.decode() for name in found)

    def is_data(self, name: str) -> bool:
        """Whether the name is a variable, where variables are listed at all."""
        return re.search(rb" [bBdDrR] " + re.escape(name.encode()) + rb"[\t\n]", self._text) is not None

    def functions(self) -> list[bytes]:
        """The functions that one may want to trace."""
        return [name for name in _FUNCTION.findall(self._text) if not _NOT_MEANT.match(name)]

    def address(self, function: str) -> int:
        """Where a function is; 0 where there is none, or the kernel hides it."""
        found = re.search(
            rb"^(\S+) [tTwW] " + re.escape(function.encode()) + rb"[\t\n]", self._text, re.MULTILINE
        )
        return int(found[1], 16) if found else 0

    def size(self, function: str) -> int:
        """Bytes from the function's start to the next symbol; 0 where the kernel hides addresses."""
        start = self.address(function)
        if not start:
            return 0
        addresses = (int(address, 16) for address in re.findall(rb"^\S+", self._text, re.MULTILINE))
        return min((address - start for address in addresses if address > start), default=0)

    @cached_property
    def raw_tracepoints(self) -> list[bytes]:
        """The tracepoints, those without an entry in tracefs included.

        Each has a function that calls its probes, ``__traceiter_NAME`` (since Linux kernel commit
        d25e37d89dd2 ("tracepoint: Optimize using static_call()") in v5.10).
        """
        return _RAW_TRACEPOINT.findall(self._text)


def read() -> bytes:
    """The whole list as it is now, with the addresses that this process may see."""
    try:
        return KALLSYMS.read_bytes()
    except OSError:
        return b""


def names() -> Names:
    """The names of now, kept until a module comes or goes: listing them takes the kernel a while."""
    return _names(modules())


def modules() -> frozenset[str]:
    """The modules that are loaded."""
    try:
        return frozenset(re.findall(r"^\S+", _MODULES.read_text(), re.MULTILINE))
    except OSError:
        return frozenset()


@lru_cache(maxsize=1)
def _names(_modules: frozenset[str]) -> Names:
    return Names(read())
