"""Which file each descriptor of the traced processes names, as their own calls say.

The kernel keeps this in tables of descriptors that processes inherit as a copy and threads share; so does
this module, from the calls in their order.  A name is the path as it was opened, made absolute: symbolic
links stay.  Descriptors that come another way (in a message over a socket) have no name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

AT_FDCWD = -100
_CLONE_FS, _CLONE_FILES = 0x200, 0x400
_F_DUPFD, _F_SETFD, _F_DUPFD_CLOEXEC = 0, 2, 1030
_FD_CLOEXEC = 1
_CLOSE_RANGE_UNSHARE, _CLOSE_RANGE_CLOEXEC = 2, 4


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    closes: bool = False
    """Closed by execve."""
    since: int = 0
    """When its call returned, in nanoseconds."""


@dataclass(slots=True)
class _Table:
    """What threads share; ``users`` are thread ids."""

    files: dict[int, _File]
    users: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Place:
    """A current directory, which threads share."""

    path: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that returned.

    Attributes
    ----------
    process, thread : int
    name : str
    args : sequence of int
        Six unsigned 64-bit words.
    ret : int
    texts : mapping
        What arguments point to, by their number.
    begin, end : int
        Nanoseconds.
    """

    process: int
    thread: int
    name: str
    args: Sequence[int]
    ret: int
    texts: Mapping[int, bytes]
    begin: int
    end: int

    def number(self, at: int) -> int:
        """An argument that is a C int."""
        return signed(self.args[at], 32)

    def path(self, at: int) -> str:
        """An argument that is a path, "" where it could not be read."""
        return self.texts.get(at, b"").partition(b"\0")[0].decode(errors="surrogateescape")


def signed(value: int, bits: int) -> int:
    """The lowest bits of a word as a signed integer.

    Examples
    --------
    >>> signed(0xFFFFFF9C, 32)
    -100
    """
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class Files:
    """The descriptors and current directories of all traced threads.

    Parameters
    ----------
    inherited : mapping
        Names of the descriptors that the command is started with.
    directory : str
        The directory it is started in.
    close_on_exec : int
        The architecture's O_CLOEXEC, which the other calls' flags of this meaning equal.
    """

    def __init__(self, inherited: Mapping[int, str], directory: str, close_on_exec: int = 0o2000000) -> None:
        self._inherited = {fd: _File(name) for fd, name in inherited.items()}
        self._directory = directory
        self._cloexec = close_on_exec
        self._tables: dict[int, _Table] = {}
        self._places: dict[int, _Place] = {}

    def name(self, thread: int, fd: int) -> str:
        """The file that a descriptor names, "" for none that is known."""
        file = self._table(thread).files.get(fd)
        return file.name if file else ""

    def started(self, parent: int, child: int, flags: int) -> None:
        """A thread was started, with clone's flags."""
        table, place = self._table(parent), self._place(parent)
        if not flags & _CLONE_FILES:
            table = _Table(dict(table.files))
        table.users.add(child)
        self._tables[child] = table
        self._places[child] = place if flags & _CLONE_FS else replace(place)

    def gone(self, thread: int) -> None:
        """A thread has ended; its id may be used again."""
        if table := self._tables.pop(thread, None):
            table.users.discard(thread)
        self._places.pop(thread, None)

    def ended(self, call: Ended) -> None:
        """Take in what a call changed."""
        change = _CHANGES.get(call.name)
        # Even a close that was interrupted has closed.
        if change is not None and (call.ret >= 0 or call.name == "close"):
            change(self, call)

    def absolute(self, thread: int, directory: int, path: str) -> str:
        """A path as the thread means it, from a directory's descriptor or AT_FDCWD."""
        if not path:
            return ""
        base = self._place(thread).path if directory == AT_FDCWD else self.name(thread, directory)
        joined = posixpath.join(base, path)
        return posixpath.normpath(joined) if joined.startswith("/") else joined

    def _table(self, thread: int) -> _Table:
        if thread not in self._tables:
            self._tables[thread] = _Table(dict(self._inherited), {thread})
        return self._tables[thread]

    def _place(self, thread: int) -> _Place:
        return self._places.setdefault(thread, _Place(self._directory))

    def _add(self, call: Ended, fd: int, name: str, flags: int = 0) -> None:
        self._table(call.thread).files[fd] = _File(name, bool(flags & self._cloexec), call.end)

    def _open(self, call: Ended, directory: int, path: str, flags: int) -> None:
        self._add(call, call.ret, self.absolute(call.thread, directory, path), flags)

    def _close(self, call: Ended) -> None:
        files, fd = self._table(call.thread).files, signed(call.args[0], 32)
        # Calls come when they return: another thread may have been given the number again before that.
        if fd in files and (files[fd].since <= call.begin):
            del files[fd]

    def _close_range(self, call: Ended) -> None:
        first, last, flags = (arg & 0xFFFFFFFF for arg in call.args[:3])
        if flags & _CLOSE_RANGE_UNSHARE:
            self._unshare(call.thread)
        files = self._table(call.thread).files
        for fd in [fd for fd in files if first <= fd <= last]:
            if flags & _CLOSE_RANGE_CLOEXEC:
                files[fd] = replace(files[fd], closes=True)
            else:
                del files[fd]

    def _duplicate(self, call: Ended, flags: int) -> None:
        if call.ret != call.number(0):  # dup2(1, 1) changes nothing
            self._add(call, call.ret, self.name(call.thread, call.number(0)), flags)

    def _control(self, call: Ended) -> None:
        command = call.number(1)
        if command in (_F_DUPFD, _F_DUPFD_CLOEXEC):
            self._duplicate(call, self._cloexec if command == _F_DUPFD_CLOEXEC else 0)
        files, fd = self._table(call.thread).files, call.number(0)
        if command == _F_SETFD and fd in files:
            files[fd] = replace(files[fd], closes=bool(call.args[2] & _FD_CLOEXEC))

    def _pair(self, call: Ended, at: int, name: str, flags: int) -> None:
        data = call.texts.get(at, b"")
        for begin in range(0, len(data) // 4 * 4, 4):
            self._add(call, int.from_bytes(data[begin : begin + 4], "little"), name, flags)

    def _unshare(self, thread: int) -> None:
        shared = self._table(thread)
        shared.users.discard(thread)
        self._tables[thread] = _Table(dict(shared.files), {thread})

    def _execute(self, call: Ended) -> None:
        self._unshare(call.thread)
        table = self._table(call.thread)
        table.files = {fd: file for fd, file in table.files.items() if not file.closes}
        # Whichever thread it was, it goes on as the first one of its process.
        table.users = {call.process}
        self._tables[call.process] = table
        self._places[call.process] = self._place(call.thread)

    def _unshare_by_flags(self, call: Ended) -> None:
        if call.args[0] & _CLONE_FILES:
            self._unshare(call.thread)
        if call.args[0] & _CLONE_FS:
            self._places[call.thread] = replace(self._place(call.thread))

    def _change_directory(self, call: Ended) -> None:
        self._place(call.thread).path = self.absolute(call.thread, AT_FDCWD, call.path(0))

    def _change_to_open(self, call: Ended) -> None:
        self._place(call.thread).path = self.name(call.thread, call.number(0))


def _anonymous(name: str, flags_at: int | None = None) -> Callable[[Files, Ended], None]:
    """A call that returns a descriptor of something without a path."""
    return lambda files, call: files._add(
        call, call.ret, name, 0 if flags_at is None else call.args[flags_at]
    )


def _how_flags(call: Ended) -> int:
    return int.from_bytes(call.texts.get(2, b"")[:8], "little")


_CHANGES: dict[str, Callable[[Files, Ended], None]] = {
    "open": lambda files, call: files._open(call, AT_FDCWD, call.path(0), call.args[1]),
    "creat": lambda files, call: files._open(call, AT_FDCWD, call.path(0), 0),
    "openat": lambda files, call: files._open(call, call.number(0), call.path(1), call.args[2]),
    "openat2": lambda files, call: files._open(call, call.number(0), call.path(1), _how_flags(call)),
    "close": Files._close,
    "close_range": Files._close_range,
    "dup": lambda files, call: files._duplicate(call, 0),
    "dup2": lambda files, call: files._duplicate(call, 0),
    "dup3": lambda files, call: files._duplicate(call, call.args[2]),
    "fcntl": Files._control,
    "pipe": lambda files, call: files._pair(call, 0, "pipe", 0),
    "pipe2": lambda files, call: files._pair(call, 0, "pipe", call.args[1]),
    "socketpair": lambda files, call: files._pair(call, 3, "socket", call.args[1]),
    "socket": _anonymous("socket", 1),
    "accept": _anonymous("socket"),
    "accept4": _anonymous("socket", 3),
    "epoll_create": _anonymous("eventpoll"),
    "epoll_create1": _anonymous("eventpoll", 0),
    "eventfd": _anonymous("eventfd"),
    "eventfd2": _anonymous("eventfd", 1),
    "inotify_init": _anonymous("inotify"),
    "inotify_init1": _anonymous("inotify", 0),
    "signalfd4": _anonymous("signalfd", 3),
    "timerfd_create": _anonymous("timerfd", 1),
    "memfd_create": lambda files, call: files._add(
        call, call.ret, f"memfd:{call.path(0)}", files._cloexec * (call.args[1] & 1)
    ),
    "execve": Files._execute,
    "execveat": Files._execute,
    "unshare": Files._unshare_by_flags,
    "chdir": Files._change_directory,
    "fchdir": Files._change_to_open,
}

RETURNS_DESCRIPTOR = frozenset(_CHANGES) - {
    *(
        "close",
        "close_range",
        "pipe",
        "pipe2",
        "socketpair",
        "execve",
        "execveat",
        "unshare",
        "chdir",
        "fchdir",
    ),
    "fcntl",  # some of its commands do
}
"""Calls whose result is a descriptor."""


def returns_descriptor(call: str, args: Sequence[int]) -> bool:
    """Whether a call's result is a descriptor."""
    return call in RETURNS_DESCRIPTOR or (
        call == "fcntl" and signed(args[1], 32) in (_F_DUPFD, _F_DUPFD_CLOEXEC)
    )
