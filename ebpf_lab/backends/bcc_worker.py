"""The process in which bcc works: run as a script, it compiles one text and loads its programs.

It is a process of its own because LLVM ends the one it is in when it cannot make BPF of a text (more than
512 bytes of stack, a signed division), and that must not be the learner's.  Besides, bcc prints to standard
error, and changes the working directory while it compiles.

Requests and replies are JSON behind a four-byte length, over a Unix socket whose descriptor is the only
argument; a reply may bring descriptors along.  Only the standard library and bcc are imported, which keeps
the start short: importing pandas would take longer than a compilation.
"""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import json
import os
import socket
import struct
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

Reply = dict[str, Any]

# DEBUG_PREPROCESSOR and DEBUG_SOURCE of bcc: what to print to standard error.  Messages of the code generator
# name lines of the rewritten text alone.
_REWRITTEN_TEXT, _DISASSEMBLY = 4, 8
# A log that does not fit makes loading fail with ENOSPC.
LOG_SIZES = (1 << 20, 64 << 20)
_ANY_ATTACH_TYPE = ctypes.c_uint(-1)


def import_bcc(package: str) -> ModuleType:
    """Import the ``bcc`` package in this directory, and nothing else of what is beside it.

    Distributions install it for their own Python, next to hundreds of packages that must not shadow those
    of the virtual environment; it is pure Python, and works in any.
    """
    spec = importlib.util.spec_from_file_location(
        "bcc", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} is no Python package")
    module = importlib.util.module_from_spec(spec)
    sys.modules["bcc"] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Answer requests until the other end closes the socket."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    worker: Worker | None = None
    while request := _receive(connection):
        if worker is None:
            try:
                worker = Worker(import_bcc(request["package"]))
            except (ImportError, OSError, AttributeError) as error:
                _send(connection, {"unusable": str(error)})
                continue
        if "function" in request:
            reply, fd = worker.load(request["function"], request["type"], request["log_level"])
            _send(connection, reply, [fd] if fd >= 0 else [])
            if fd >= 0:
                os.close(fd)
        else:
            reply, fds = worker.compile(**request["compile"])
            _send(connection, reply, fds)
    # LLVM's destructors would only take time: what this process holds, the kernel frees.
    os._exit(0)


def _receive(connection: socket.socket) -> Reply | None:
    size = connection.recv(4, socket.MSG_WAITALL)
    if len(size) < 4:
        return None
    request: Reply = json.loads(connection.recv(struct.unpack("<I", size)[0], socket.MSG_WAITALL))
    return request


def _send(connection: socket.socket, reply: Reply, fds: Sequence[int] = ()) -> None:
    data = json.dumps(reply).encode()
    socket.send_fds(connection, [struct.pack("<I", len(data))], fds)
    connection.sendall(data)


class Worker:
    """One text, compiled by bcc."""

    def __init__(self, bcc: ModuleType) -> None:
        self._lib: Any = bcc.lib
        self._lib.bpf_num_tables.argtypes = [ctypes.c_void_p]
        self._lib.bpf_num_tables.restype = ctypes.c_size_t
        self._lib.bpf_table_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._lib.bpf_table_name.restype = ctypes.c_char_p
        self._module: int | None = None

    def compile(self, text: str, flags: list[str], disassemble: bool) -> tuple[Reply, list[int]]:
        """Compile ``text``; the descriptors are those of its maps, in order, and then that of its BTF."""
        lib = self._lib
        array = (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
        self._module = lib.bpf_module_create_c_from_string(
            text.encode("utf-8", "replace"),
            _REWRITTEN_TEXT | (_DISASSEMBLY if disassemble else 0),
            array,
            len(flags),
            True,
            None,
        )
        if not self._module:
            return {"compiled": False}, []
        functions = [
            lib.bpf_function_name(self._module, at) for at in range(lib.bpf_num_functions(self._module))
        ]
        tables = [lib.bpf_table_name(self._module, at) for at in range(lib.bpf_num_tables(self._module))]
        fds = [lib.bpf_table_fd(self._module, name) for name in tables]
        reply = {
            "compiled": True,
            "functions": [name.decode() for name in functions],
            "maps": [name.decode() for name in tables],
        }
        return reply, fds + _types()

    def load(self, function: str, program_type: int, log_level: int) -> tuple[Reply, int]:
        """Load a program: what the verifier said, and the program's descriptor (negative: refused)."""
        lib, name = self._lib, function.encode()
        for size in LOG_SIZES:
            log = ctypes.create_string_buffer(size)
            ctypes.set_errno(0)
            fd = lib.bcc_func_load(
                self._module,
                program_type,
                name,
                lib.bpf_function_start(self._module, name),
                lib.bpf_function_size(self._module, name),
                lib.bpf_module_license(self._module),
                lib.bpf_module_kern_version(self._module),
                log_level,
                log,
                size,
                None,
                _ANY_ATTACH_TYPE,
            )
            code = ctypes.get_errno()
            if fd >= 0 or code != errno.ENOSPC:
                break
        return {"errno": 0 if fd >= 0 else code, "log": log.value.decode("utf-8", "replace")}, fd


def _types() -> list[int]:
    """The descriptor of the module's BTF, which libbcc keeps to itself.

    Opening it by its number would take CAP_SYS_ADMIN (``bpf_btf_get_fd_by_id`` in the kernel's
    ``kernel/bpf/syscall.c``), where loading programs does not.
    """
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the descriptor of this very listing
        if target.startswith("anon_inode:") and target.strip("[]").endswith("btf"):
            return [int(name)]
    return []


if __name__ == "__main__":
    main()
