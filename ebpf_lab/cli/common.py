"""What several verbs share."""

from __future__ import annotations

import argparse
import os
from typing import TypeAlias

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a verb adds its parser."""


def to_stderr(chunk: bytes) -> None:
    """Pass on what a traced command prints, apart from the lab's own output, which may be piped on."""
    os.write(2, chunk)
