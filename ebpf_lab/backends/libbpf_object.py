"""An object file opened with libbpf, as Python objects."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
from collections.abc import Iterator, Mapping
from types import TracebackType

from ebpf_lab.backends import libbpf_api
from ebpf_lab.diagnose.verifier import is_complete

# Bytes kept of each program's verifier log, enough for some 40,000 steps; pages are used only as far as the
# log goes.  Before Linux commit 1216640938035e63bdbd32438e91c9bcc1fd8ee1 (in v6.4) the kernel keeps the
# beginning and stops printing, which makes a loop of a million turns end soon; since then it keeps the end.
LOG_SIZE = 4 << 20
LONG_LOG_SIZE = 64 << 20
"""The same where the log is what is wanted."""

# BPF_F_* of ``union bpf_attr``'s prog_flags.
SLEEPABLE = 1 << 4
XDP_HAS_FRAGS = 1 << 5


class LoadFailed(Exception):
    """libbpf could not open or load an object.

    Attributes
    ----------
    code : int
        errno.
    messages : str
        What libbpf said.
    logs : dict
        What the verifier said, by program.
    """

    def __init__(self, code: int, messages: str, logs: Mapping[str, str] | None = None) -> None:
        super().__init__(os.strerror(code))
        self.code = code
        self.messages = messages
        self.logs = dict(logs or {})

    @property
    def log_cut_short(self) -> bool:
        """A verifier log did not fit, and its end is lost."""
        return self.code == errno.ENOSPC and not any(is_complete(log) for log in self.logs.values())


class BpfProgram:
    """A program of an object; valid until the object is closed."""

    def __init__(self, handle: int, log_size: int) -> None:
        self._handle = handle
        self._library = libbpf_api.library()
        self._log = mmap.mmap(-1, log_size)
        self._log_view = ctypes.c_char.from_buffer(self._log)
        self.name: str = self._library.bpf_program__name(handle).decode()
        self._library.bpf_program__set_log_buf(handle, ctypes.addressof(self._log_view), log_size)

    @property
    def fd(self) -> int:
        """Its descriptor, negative before it is loaded."""
        return int(self._library.bpf_program__fd(self._handle))

    @property
    def type(self) -> int:
        """The kernel's BPF_PROG_TYPE."""
        return int(self._library.bpf_program__type(self._handle))

    @property
    def log(self) -> str:
        """What the verifier said."""
        return self._log[: self._log.find(b"\0")].decode("utf-8", "replace")

    def configure(self, program_type: int, attach_type: int, *, flags: int, log_level: int) -> None:
        """Set what the kernel wants to know at load, whatever the section's name says."""
        # A change of type makes libbpf forget the handler of the section.  It must: the probe may be another
        # one than the section names, and libbpf 1.3's handler of "usdt" would make the program one for
        # multi-uprobe links.
        other = 1 if program_type != 1 else 2
        self._check(self._library.bpf_program__set_type(self._handle, other))
        self._check(self._library.bpf_program__set_type(self._handle, program_type))
        self._check(self._library.bpf_program__set_expected_attach_type(self._handle, attach_type))
        flags |= self._library.bpf_program__flags(self._handle)
        self._check(self._library.bpf_program__set_flags(self._handle, flags))
        self._check(self._library.bpf_program__set_log_level(self._handle, log_level))
        # libbpf leaves out what a section begins with "?" unless told otherwise.
        self._check(self._library.bpf_program__set_autoload(self._handle, True))

    def set_target(self, function: str) -> None:
        """Name the kernel function or tracepoint, by BTF, that the program will be attached to."""
        self._check(self._library.bpf_program__set_attach_target(self._handle, 0, function.encode()))

    def skip(self) -> None:
        """Leave this program out when the object is loaded."""
        self._check(self._library.bpf_program__set_autoload(self._handle, False))

    def close(self) -> None:
        """Free the log."""
        del self._log_view
        self._log.close()

    def _check(self, result: int) -> None:
        if result < 0:
            raise LoadFailed(-result, libbpf_api.messages())


class BpfMap:
    """A map of an object; valid until the object is closed."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._library = library = libbpf_api.library()
        self.name: str = library.bpf_map__name(handle).decode()
        self.internal: bool = library.bpf_map__is_internal(handle)
        if self.internal:
            # A section of global variables: libbpf puts the object's name before the standard ones.
            self.name = self.name[self.name.index(".") :]

    @property
    def fd(self) -> int:
        """Its descriptor, negative before it is loaded."""
        return int(self._library.bpf_map__fd(self._handle))

    @property
    def type(self) -> int:
        """The kernel's BPF_MAP_TYPE."""
        return int(self._library.bpf_map__type(self._handle))

    @property
    def key_size(self) -> int:
        """Bytes."""
        return int(self._library.bpf_map__key_size(self._handle))

    @property
    def value_size(self) -> int:
        """Bytes."""
        return int(self._library.bpf_map__value_size(self._handle))

    @property
    def max_entries(self) -> int:
        """Entries; bytes for a ring buffer."""
        return int(self._library.bpf_map__max_entries(self._handle))

    @property
    def initial(self) -> bytes:
        """What the variables of this section are at the start, until it is loaded; b"" for any other map."""
        size = ctypes.c_size_t()
        address = self._library.bpf_map__initial_value(self._handle, ctypes.byref(size))
        return ctypes.string_at(address, size.value) if address else b""

    @initial.setter
    def initial(self, value: bytes) -> None:
        self._library.bpf_map__set_initial_value(self._handle, value, len(value))

    def skip(self) -> None:
        """Leave this map out when the object is loaded."""
        self._library.bpf_map__set_autocreate(self._handle, False)


class BpfObject:
    """An opened object; a context manager, which closes it and every descriptor that was not duplicated.

    Parameters
    ----------
    elf : bytes
        The object file.
    long_logs : bool
        Keep much more of what the verifier says.

    Raises
    ------
    LoadFailed
        libbpf cannot read it.
    """

    def __init__(self, elf: bytes, *, long_logs: bool = False) -> None:
        self._library = libbpf_api.library()
        self._elf = elf  # libbpf reads from it
        self._tried = False
        self.programs: dict[str, BpfProgram] = {}
        self.maps: dict[str, BpfMap] = {}
        with contextlib.ExitStack() as held:
            held.enter_context(libbpf_api.exclusive)
            libbpf_api.messages()
            options = libbpf_api.OpenOptions(ctypes.sizeof(libbpf_api.OpenOptions), b"lab")
            self._handle = self._library.bpf_object__open_mem(elf, len(elf), ctypes.byref(options))
            if not self._handle:
                raise LoadFailed(ctypes.get_errno(), libbpf_api.messages())
            held.callback(self._library.bpf_object__close, self._handle)
            held.callback(self._forget_modules)
            for handle in self._each("program"):
                program = BpfProgram(handle, LONG_LOG_SIZE if long_logs else LOG_SIZE)
                held.callback(program.close)
                self.programs[program.name] = program
            self.maps |= {made.name: made for made in map(BpfMap, self._each("map"))}
            self._held = held.pop_all()

    def __enter__(self) -> BpfObject:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @property
    def btf(self) -> bytes:
        """The object's BTF, in which libbpf has filled in where each variable is."""
        size = ctypes.c_uint32()
        btf = self._library.bpf_object__btf(self._handle)
        address = self._library.btf__raw_data(btf, ctypes.byref(size)) if btf else None
        return ctypes.string_at(address, size.value) if address else b""

    def load(self) -> None:
        """Put maps and programs into the kernel.

        Raises
        ------
        LoadFailed
            The kernel, or libbpf before it, refused something; nothing stays loaded.
        """
        libbpf_api.messages()
        self._tried = True
        result = self._library.bpf_object__load(self._handle)
        if result < 0:
            logs = {name: program.log for name, program in self.programs.items()}
            raise LoadFailed(-result, libbpf_api.messages(), {name: log for name, log in logs.items() if log})

    def _forget_modules(self) -> None:
        # To find a target in BTF, libbpf opens that of every module, and only loading closes them again
        # (seen with libbpf 1.1): load nothing, if nothing was loaded.
        if not self._tried:
            for program in self.programs.values():
                program.skip()
            for map_ in self.maps.values():
                map_.skip()
            self._library.bpf_object__load(self._handle)

    def _each(self, what: str) -> Iterator[int]:
        step = getattr(self._library, f"bpf_object__next_{what}")
        handle = step(self._handle, None)
        while handle:
            yield handle
            handle = step(self._handle, handle)
