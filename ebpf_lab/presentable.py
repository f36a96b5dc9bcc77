"""What can be shown as a cell's result: the results of one trace, or of several hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from ebpf_lab.stats import Fact
from ebpf_lab.tables import Tables


class Presentable(Protocol):
    """Facts, notes and tables."""

    @property
    def facts(self) -> Sequence[Fact]:
        """The parts of the header line."""

    @property
    def header(self) -> str:
        """The header line."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the tables should know, a sentence each."""

    @property
    def tables(self) -> Tables:
        """Streams and maps by name, the main one first."""

    @property
    def main(self) -> pd.DataFrame:
        """The main table."""

    @property
    def main_name(self) -> str:
        """Its name."""
