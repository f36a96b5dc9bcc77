"""Sizes as people write them: "64MiB"."""

from __future__ import annotations

import re

from ebpf_lab.errors import UsageProblem

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?:([kKMGT])(i?)B?|B)?", re.ASCII)
_POWERS = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_size(text: str) -> int:
    """Read a number of bytes.

    Parameters
    ----------
    text : str
        A number, then ``B`` or nothing for bytes, ``kB``, ``MB``, ``GB``, ``TB`` for powers of 1000, or
        ``KiB``, ``MiB``, … for powers of 1024; of ``K``, ``M``, ``G``, ``T`` alone, too.

    Raises
    ------
    UsageProblem
        It is no size, or less than one byte.

    Examples
    --------
    >>> parse_size("512MiB"), parse_size("1.5 kB"), parse_size("64K")
    (536870912, 1500, 65536)
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageProblem(f"{text!r} is no size", hint="for instance 512MiB, 2GiB or 65536")
    number, unit, binary = match.groups()
    base = 1024 if binary or not text.strip().endswith("B") else 1000
    size = int(float(number) * base ** _POWERS[unit]) if unit else int(float(number))
    if size < 1:
        raise UsageProblem(f"{text!r} is less than one byte", hint="for instance 512MiB")
    return size
