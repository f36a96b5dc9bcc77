"""How large a recording may be: what is written is cut there, and what is read is refused beyond."""

from __future__ import annotations

FILE = 64 << 20
"""Bytes of the file."""
CONTENT = 128 << 20
"""Bytes of everything in it, unpacked."""
MEMBERS = 1024
"""Parts of it."""
DATA = 8 << 20
"""Bytes of one part in JSON, whose values take many times as much memory."""
TEXT = 1 << 20
"""Bytes of the program, and of the command's output."""
LOG = 4 << 20
"""Bytes of what the verifier said of one program."""
EVENTS = 32 << 20
"""Bytes of events."""
MAPS = 16 << 20
"""Bytes of all maps."""
DECODED = 512 << 20
"""Bytes of all events, each as long as the longest type of its stream."""
CELLS = 32 << 20
"""Values in the frames of all events, and in those of all maps."""
COLUMNS = 4096
"""Columns of a type."""
TYPE = 1 << 20
"""Bytes of a type."""
DEPTH = 32
"""Types within types."""
NAMES = 50_000
"""Names of addresses and users."""
