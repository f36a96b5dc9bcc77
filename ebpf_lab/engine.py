"""What a trace runs on: programs in the kernel (:mod:`ebpf_lab.running`) or a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import pandas as pd

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.command import Command
from ebpf_lab.errors import Mark
from ebpf_lab.inside.program import ProgramCode, Samples
from ebpf_lab.inspection import Kernel
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.results import Results
from ebpf_lab.watching import Glimpse


class Engine(Protocol):
    """Events come from when it is made until it is detached."""

    @property
    def codes(self) -> Sequence[ProgramCode]:
        """What the kernel made of the programs."""

    @property
    def kernel(self) -> Kernel:
        """That kernel."""

    @property
    def warnings(self) -> Sequence[Mark]:
        """Places in the text that the compiler warned of."""

    @property
    def samples(self) -> Samples | None:
        """Where the processors were found, None where nobody looked."""

    def launch(self, command: Command, on_end: Callable[[], None]) -> None:
        """Start the command; ``on_end`` is called, from another thread, when it has ended."""

    def detach(self) -> None:
        """End the events."""

    def take(self) -> dict[str, pd.DataFrame]:
        """Frames of what came since the last time, which is then kept no longer."""

    def glimpse(self, seconds: float) -> Glimpse:
        """What is known without decoding anything, ``seconds`` after the start."""

    @property
    def maps(self) -> Sequence[LoadedMap]:
        """The maps that hold elements."""

    def read_map(self, source: LoadedMap, limit: int) -> MapContents:
        """A map's elements, about ``limit`` bytes of them at most."""

    def read_value(self, source: LoadedMap, key: bytes) -> bytes | None:
        """The value under a key, of all CPUs; None where there is none."""

    def write_value(self, source: LoadedMap, key: bytes, value: bytes) -> None:
        """Set the value under a key, of all CPUs.

        Raises
        ------
        UsageProblem
            The map does not take it.
        """

    def results(self, seconds: float) -> Results:
        """What came so far and was not taken, ``seconds`` after the start."""

    def close(self) -> None:
        """Release everything; safe to call again."""
