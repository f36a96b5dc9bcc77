"""What a trace runs on: programs in the kernel (:mod:`ebpf_lab.running`) or a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import pandas as pd

from ebpf_lab.command import Command
from ebpf_lab.errors import Mark
from ebpf_lab.inside.program import ProgramCode
from ebpf_lab.inspection import Kernel
from ebpf_lab.results import Results


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

    def launch(self, command: Command, on_end: Callable[[], None]) -> None:
        """Start the command; ``on_end`` is called, from another thread, when it has ended."""

    def detach(self) -> None:
        """End the events."""

    def take(self) -> dict[str, pd.DataFrame]:
        """Frames of what came since the last time, which is then kept no longer."""

    def results(self, seconds: float) -> Results:
        """What came so far and was not taken, ``seconds`` after the start."""

    def close(self) -> None:
        """Release everything; safe to call again."""
