"""What the parts of the soak are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Turns = Callable[[int], Iterator[int]]
"""Numbers from 0 to so many less one, as long as there is time."""

Counts = dict[str, float | str]
"""What a part counted, by its name in words."""
