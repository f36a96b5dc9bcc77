"""Which system calls are meant by ``-e``: names, patterns, and sets such as ``%file``."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.calls.shapes import ShapeKind, shapes
from ebpf_lab.frame.calls.tables import arguments
from ebpf_lab.frame.calls.text import is_descriptor
from ebpf_lab.frame.decoders import syscall_numbers
from ebpf_lab.source.words import did_you_mean

_PROCESS = frozenset(
    {
        *(
            "clone",
            "clone3",
            "execve",
            "execveat",
            "exit",
            "exit_group",
            "fork",
            "kill",
            "tgkill",
            "tkill",
            "vfork",
        ),
        *("wait4", "waitid", "pidfd_open", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo"),
    }
)


def _takes_path(name: str, arch: str) -> bool:
    return any(shape.kind is ShapeKind.STRING for shape in shapes(arch).get(name, ()))


def _takes_descriptor(name: str, arch: str) -> bool:
    return any(map(is_descriptor, arguments(arch).get(name, ())))


def _takes_socket(name: str, arch: str) -> bool:
    return name in ("socket", "socketpair", "listen", "shutdown", "getsockopt", "setsockopt") or any(
        argument.type in ("struct sockaddr *", "struct user_msghdr *", "struct mmsghdr *")
        for argument in arguments(arch).get(name, ())
    )


SETS: Mapping[str, Callable[[str, str], bool]] = {
    "%file": _takes_path,
    "%desc": _takes_descriptor,
    "%network": _takes_socket,
    "%process": lambda name, arch: name in _PROCESS,
}
"""Sets of calls by what they take: a path, a descriptor, a socket; and those that make and end processes."""


def chosen(words: str, arch: str) -> frozenset[str]:
    """The names of the system calls that ``-e`` asks for.

    Parameters
    ----------
    words : str
        Names, patterns with ``*`` and sets, divided by commas; behind ``!`` all others are meant.
        ``trace=`` before them, as strace has it, changes nothing.
    arch : str

    Raises
    ------
    UsageProblem
        A word means no system call of this architecture.

    Examples
    --------
    >>> sorted(chosen("open*,close", "aarch64"))
    ['close', 'open_by_handle_at', 'open_tree', 'open_tree_attr', 'openat', 'openat2']
    """
    known = syscall_numbers(arch)
    text = words.removeprefix("trace=")
    inverted = text.startswith("!")
    found: set[str] = set()
    for word in text.removeprefix("!").split(","):
        if word in SETS:
            matching = {name for name in known if SETS[word](name, arch)}
        else:
            matching = set(fnmatch.filter(known, word))
        if not matching:
            raise UsageProblem(
                f"-e {words}: {word or 'nothing'} is no system call of {arch}",
                hint=did_you_mean(word, [*known, *SETS]) or "names, divided by commas: -e openat,close",
            )
        found |= matching
    return frozenset(known.keys() - found if inverted else found)
