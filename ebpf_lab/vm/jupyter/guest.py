"""The Jupyter kernel's own process, in the guest; and, with ``--record``, on the host.

It is started once, and saved with the whole machine when everything is imported and its sockets are open.
Each kernel that a learner starts is a copy of that state: it is told over a pipe what the time is, then
that the host's files are mounted, and becomes itself (key, environment, folder, random numbers).

``--record FILE`` prepares in the same way, on the host, and writes which files that took.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import importlib
import json
import logging
import os
import random
import signal
import struct
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

PORTS = {"shell_port": 5001, "iopub_port": 5002, "stdin_port": 5003, "control_port": 5004, "hb_port": 5005}
"""Where the kernel listens, inside the machine: a network of its own."""

_ROOT = Path("/.root")
"""Where the host's files are mounted."""
_LAB = Path("/.lab")
"""The directory shared with the host."""
_IPYTHON = "/run/ebpf-lab/ipython"

_MS_BIND = 4096
_MS_MOVE = 8192
# From linux/random.h; the numbers are those of all architectures with the generic _IOC layout.
_RNDADDENTROPY = 0x40085203
_RNDRESEEDCRNG = 0x5207


def main() -> None:
    """Prepare, and then serve, or tell what was needed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--import", action="append", default=[], dest="modules", metavar="MODULE")
    parser.add_argument("--extension", action="append", default=[], metavar="MODULE")
    parser.add_argument("--call", action="append", default=[], dest="calls", metavar="MODULE:FUNCTION")
    parser.add_argument("--kernel-class", required=True, metavar="CLASS")
    parser.add_argument("--record", type=Path, metavar="FILE")
    parsed = parser.parse_args()
    if parsed.record:
        _record(parsed)
        return
    # As a background job of the shell's it was started with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    app = _prepare(parsed, _IPYTHON, PORTS)
    with open("/go") as orders:
        with open("/ready", "w") as ready:
            ready.write("ready\n")
        # Here the machine is saved: what follows happens in a copy, maybe months later.
        time.clock_settime(time.CLOCK_REALTIME, float(orders.readline()))
        orders.readline()
    _become(app, parsed.extension)
    app.start()


def _prepare(parsed: argparse.Namespace, ipython: str, ports: dict[str, int]) -> Any:
    os.environ["IPYTHONDIR"] = ipython
    from ipykernel.kernelapp import IPKernelApp

    for module in parsed.modules:
        # What is missing here is missed, and said, where it is used.
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    os.makedirs(ipython, exist_ok=True)
    connection = Path(ipython) / "connection.json"
    connection.write_text(
        json.dumps({"ip": "0.0.0.0", "transport": "tcp", "key": str(uuid.uuid4()), "kernel_name": ""} | ports)
    )
    app: Any = IPKernelApp.instance()
    # The history would be a copy of a large file, and be gone at the end.  At a lower level it would explain
    # on the terminal how to connect to this kernel: true of a kernel that is not in a machine.
    app.initialize(
        [
            *("-f", str(connection), "--log-level=CRITICAL", "--HistoryManager.hist_file=:memory:"),
            f"--IPKernelApp.kernel_class={parsed.kernel_class}",
        ]
    )
    app.log_level = logging.WARNING
    _rehearse(app.shell)
    for call in parsed.calls:
        module, _, function = call.partition(":")
        getattr(importlib.import_module(module), function)()
    return app


def _rehearse(shell: Any) -> None:
    # What IPython imports, and reads of the theme, when it first shows an error, and completes a name: some
    # seconds, in which a learner would wait for the end of an interrupted cell.
    shell.run_cell("1 / 0", silent=True)
    shell.complete("", "os.path.", 8)
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)


def _become(app: Any, extensions: list[str]) -> None:
    start = json.loads((_LAB / "start.json").read_text())
    _share_libraries(start["libraries"])
    answering = os.open(_LAB / "answering", os.O_WRONLY | os.O_CREAT)
    # Who is in a chroot may not make user namespaces: laid over "/", these files are the root of a machine.
    os.chdir(_ROOT)
    if ctypes.CDLL(None, use_errno=True).mount(b".", b"/", None, ctypes.c_ulong(_MS_MOVE), None):
        raise OSError(ctypes.get_errno(), "the host's files cannot be laid over the root")
    os.chroot(".")
    # A folder that came after the machine's start shows nevertheless: nothing of it is cached yet.
    os.chdir(start["cwd"])
    os.environ.clear()
    os.environ.update(start["environment"], IPYTHONDIR=_IPYTHON, XDG_CACHE_HOME=start["compiled"])
    time.tzset()
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    os.makedirs(app.profile_dir.location, exist_ok=True)
    _reseed(bytes.fromhex(start["entropy"]))
    app.session.key = start["key"].encode()
    app.session.signature_scheme = start["signature_scheme"]
    app.session.session = str(uuid.uuid4())
    app.kernel.ident = str(uuid.uuid4())
    for extension in extensions:
        app.shell.extension_manager.load_extension(extension)
    os.write(answering, b"yes\n")
    os.close(answering)


def _share_libraries(libraries: list[str]) -> None:
    # The libraries (and the interpreter) that this process runs are copies in memory.  Laid over the host's
    # files, they are the same files for it and for programs started from now on: a probe in libc sees both.
    mount = ctypes.CDLL(None, use_errno=True).mount
    for path in libraries:
        if os.path.exists(path):
            mount(path.encode(), f"{_ROOT}{path}".encode(), None, ctypes.c_ulong(_MS_BIND), None)


def _reseed(entropy: bytes) -> None:
    # All copies of one saved machine would draw the same "random" numbers.  Only the order of sets stays
    # the same in each: Python's hash seed cannot be changed in a running process.
    with open("/dev/urandom", "wb", buffering=0) as device:
        pool = struct.pack("ii", len(entropy) * 8, len(entropy)) + entropy
        fcntl.ioctl(device, _RNDADDENTROPY, pool)
        fcntl.ioctl(device, _RNDRESEEDCRNG)
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def _record(parsed: argparse.Namespace) -> None:
    opened: set[str] = set()

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            opened.add(os.path.abspath(os.fsdecode(arguments[0])))

    sys.addaudithook(audit)
    with tempfile.TemporaryDirectory() as ipython:
        _prepare(parsed, ipython, {})
        mapped = set()
        for line in Path("/proc/self/maps").read_text().splitlines():
            _, _, path = line.partition("/")
            if path:
                mapped.add(f"/{path}")
        sources = {
            path
            for module in list(sys.modules.values())
            for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None))
            if path
        }
        parsed.record.write_text(
            # This program's own entry among the modules is the notebook's by now.
            json.dumps(
                {"files": sorted(opened | sources | {__file__}), "mapped": sorted(mapped), "path": sys.path}
            )
        )
        # Threads of the kernel's would have to be told one by one.
        os._exit(0)


if __name__ == "__main__":
    main()
