"""What events are decoded with besides their bytes: names that only the machine knows that they are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from ebpf_lab.frame.decoders import machine, user_name
from ebpf_lab.frame.stacks import Addresses
from ebpf_lab.host.maps import Mapping as MappedFile
from ebpf_lab.host.maps import forbidden
from ebpf_lab.host.symbols import KernelSymbols, user_symbols


class Names(Protocol):
    """The names of one machine."""

    @property
    def arch(self) -> str:
        """Its architecture, as the tables of :mod:`ebpf_lab.frame.decoders` name it."""

    @property
    def replayed(self) -> str:
        """Where and when a recording was made, in words that begin with REPLAYED; "" of this machine, now."""

    @property
    def no_kernel(self) -> str:
        """Why functions of the kernel have no names, "" when they have."""

    def kernel(self, addresses: Addresses) -> Sequence[str]:
        """A name for each address of the kernel's code."""

    def process(self, pid: int, addresses: Addresses) -> Sequence[str]:
        """A name for each address of a process's code."""

    def forbidden(self, pid: int) -> bool:
        """Whether a process's mappings were not ours to see."""

    def user(self, uid: int) -> str:
        """A user."""


class RunningMachine:
    """The names of this machine as they are now.

    Parameters
    ----------
    processes : mapping
        Executable mappings by process, where they were noted while it ran.
    """

    arch = machine()
    replayed = ""

    def __init__(self, processes: Mapping[int, tuple[MappedFile, ...]]) -> None:
        self._processes = processes

    @cached_property
    def _kernel(self) -> KernelSymbols:
        return KernelSymbols.of_running_kernel()

    @property
    def no_kernel(self) -> str:
        """As :attr:`Names.no_kernel`."""
        return self._kernel.why

    def kernel(self, addresses: Addresses) -> Sequence[str]:
        """As :meth:`Names.kernel`."""
        return self._kernel.lookup(addresses)

    def process(self, pid: int, addresses: Addresses) -> Sequence[str]:
        """As :meth:`Names.process`."""
        return user_symbols(pid, addresses, self._processes.get(pid, ()))

    def forbidden(self, pid: int) -> bool:
        """As :meth:`Names.forbidden`."""
        return forbidden(pid)

    def user(self, uid: int) -> str:
        """As :meth:`Names.user`."""
        return user_name(uid)
