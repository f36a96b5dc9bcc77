"""Names of the machine that a recording is from: noted there while events are decoded, given here again."""

from __future__ import annotations

from collections.abc import Sequence

from ebpf_lab.frame.decoders import machine
from ebpf_lab.frame.stacks import Addresses
from ebpf_lab.names import Names
from ebpf_lab.recordings import limits
from ebpf_lab.recordings.model import Book, Made


class NotedNames:
    """The names of a machine, each of which goes into a book when it is asked for."""

    replayed = ""

    def __init__(self, names: Names, book: Book) -> None:
        self._names = names
        self._book = book
        self.arch = names.arch

    @property
    def no_kernel(self) -> str:
        """As :attr:`ebpf_lab.names.Names.no_kernel`."""
        self._book.no_kernel = self._names.no_kernel
        return self._book.no_kernel

    def kernel(self, addresses: Addresses) -> Sequence[str]:
        """As :meth:`ebpf_lab.names.Names.kernel`."""
        return self._note(self._book.kernel, addresses, self._names.kernel(addresses))

    def process(self, pid: int, addresses: Addresses) -> Sequence[str]:
        """As :meth:`ebpf_lab.names.Names.process`."""
        book = self._book.processes.setdefault(pid, {})
        return self._note(book, addresses, self._names.process(pid, addresses))

    def forbidden(self, pid: int) -> bool:
        """As :meth:`ebpf_lab.names.Names.forbidden`."""
        found = self._names.forbidden(pid)
        if found:
            self._book.forbidden.add(pid)
        return found

    def user(self, uid: int) -> str:
        """As :meth:`ebpf_lab.names.Names.user`."""
        name = self._names.user(uid)
        if name != str(uid) and len(self._book) < limits.NAMES:
            self._book.users[uid] = name
        return name

    def _note(self, book: dict[int, str], addresses: Addresses, names: Sequence[str]) -> Sequence[str]:
        room = limits.NAMES - len(self._book)
        for address, name in zip(addresses.tolist(), names, strict=True):
            if name != f"{address:#x}" and address not in book and room > 0:
                book[address] = name
                room -= 1
        return names


class RecordedNames:
    """The names in a book."""

    def __init__(self, book: Book, made: Made) -> None:
        self._book = book
        self.arch = machine(made.machine)
        self.replayed = str(made)
        self.no_kernel = book.no_kernel

    def kernel(self, addresses: Addresses) -> Sequence[str]:
        """As :meth:`ebpf_lab.names.Names.kernel`."""
        return _found(self._book.kernel, addresses)

    def process(self, pid: int, addresses: Addresses) -> Sequence[str]:
        """As :meth:`ebpf_lab.names.Names.process`."""
        return _found(self._book.processes.get(pid, {}), addresses)

    def forbidden(self, pid: int) -> bool:
        """As :meth:`ebpf_lab.names.Names.forbidden`."""
        return pid in self._book.forbidden

    def user(self, uid: int) -> str:
        """As :meth:`ebpf_lab.names.Names.user`."""
        return self._book.users.get(uid, str(uid))


def _found(book: dict[int, str], addresses: Addresses) -> list[str]:
    return [book.get(address, f"{address:#x}") for address in addresses.tolist()]
