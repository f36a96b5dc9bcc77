"""Names that are nearly the one meant, out of a few or of very many: a kernel has 100,000 functions."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_SHORTLIST = 150
_LIKE = 0.6
_BEHIND = 0.2
"""What is less like the word than the best by more than this is no guess worth reading."""


def nearest(word: str, names: Iterable[str] | Iterable[bytes], limit: int = 3) -> list[str]:
    """The names most like ``word``, best first; those that contain it count as like it.

    difflib alone takes seconds on so many names.  Its own upper bound, the letters two words share, is
    therefore computed for all of them at once, and the few best are compared in earnest: about 0.1 s for
    120,000 names.

    Examples
    --------
    >>> nearest("vfs_raed", ["vfs_read", "tcp_connect", "do_unlinkat"])
    ['vfs_read']
    """
    needle = word.encode(errors="replace").lower()
    known = [name if isinstance(name, bytes) else name.encode(errors="replace") for name in names]
    if not needle or not known:
        return []
    shortlist = _share_most_letters(needle, known) if len(known) > _SHORTLIST else known
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(needle.decode(errors="replace"))
    ranked: list[tuple[float, int, str]] = []
    for name in {*shortlist, *_containing(needle, known)}:
        text = name.decode(errors="replace")
        matcher.set_seq1(text.lower())
        score = matcher.ratio()
        if len(needle) >= 4 and needle in name.lower():
            score = max(score, _LIKE) + 0.1
        if score >= _LIKE and text != word:
            ranked.append((-score, len(text), text))
    best = sorted(ranked)[:limit]
    return [text for score, _, text in best if score <= best[0][0] + _BEHIND]


def suggestion(word: str, names: Iterable[str] | Iterable[bytes], *, prefix: str = "") -> str:
    """The hint "did you mean A, B or C?", each behind ``prefix``, or "" when nothing is near."""
    near = [prefix + name for name in nearest(word, names)]
    if not near:
        return ""
    *head, last = near
    return f"did you mean {', '.join(head)} or {last}?" if head else f"did you mean {last}?"


def _containing(needle: bytes, names: Sequence[bytes]) -> list[bytes]:
    if len(needle) < 4:
        return []
    found = [name for name in names if needle in name.lower()]
    return sorted(found, key=len)[:_SHORTLIST]


def _share_most_letters(needle: bytes, names: Sequence[bytes]) -> list[bytes]:
    # Only for long lists: the few options of a cell need no numpy.
    import numpy as np

    text = np.frombuffer(b"\n".join(names).lower() + b"\n", np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    shared = np.zeros(len(ends), np.int32)
    for letter in set(needle):
        count = np.add.reduceat((text == letter).view(np.int8), starts, dtype=np.int32)
        shared += np.minimum(count, needle.count(letter))
    ratio = 2 * shared / (ends - starts + len(needle))
    best = np.argpartition(ratio, -_SHORTLIST)[-_SHORTLIST:]
    return [names[index] for index in best]
