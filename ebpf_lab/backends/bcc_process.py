"""Talks to the process in which bcc works (:mod:`ebpf_lab.backends.bcc_worker`)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebpf_lab.backends.loaded import close_all

_SCRIPT = Path(__file__).with_name("bcc_worker.py")
_MOST_FDS = 253  # SCM_MAX_FD of the kernel: more do not go into one message


class BccStopped(Exception):
    """The process ended: LLVM gave up.  ``messages`` is what it printed."""

    def __init__(self, messages: str) -> None:
        super().__init__(messages)
        self.messages = messages


class BccUnusable(Exception):
    """bcc could not be imported."""


@dataclass(frozen=True, slots=True)
class CompiledText:
    """What bcc made of a text.

    Attributes
    ----------
    compiled : bool
    functions : tuple of str
        Programs, by the names that bcc has for them.
    maps : dict
        Descriptors by map name.
    btf : int or None
        Descriptor of the BTF of all maps and programs, None when the kernel did not take it.
    messages : str
        What bcc printed, the rewritten text included.
    """

    compiled: bool
    functions: tuple[str, ...]
    maps: dict[str, int]
    btf: int | None
    messages: str

    @property
    def fds(self) -> list[int]:
        """Every descriptor."""
        return [*self.maps.values(), *([] if self.btf is None else [self.btf])]


@dataclass(frozen=True, slots=True)
class LoadAnswer:
    """What the kernel said to a program: ``fd`` is negative when it refused, with ``errno``."""

    fd: int
    errno: int
    log: str


class BccProcess:
    """One process for one text; ends with :meth:`close`.

    Descriptors that it hands over belong to the caller.
    """

    def __init__(self, package: Path) -> None:
        self._package = package
        self._read = 0
        with contextlib.ExitStack() as failed:
            self._messages = os.memfd_create("ebpf-lab-bcc", os.MFD_CLOEXEC)
            failed.callback(os.close, self._messages)
            self._socket, theirs = socket.socketpair()
            failed.callback(self._socket.close)
            with theirs:
                self._process = subprocess.Popen(
                    # Isolated, without site-packages: nothing but bcc is to be found.
                    [sys.executable, "-I", "-S", str(_SCRIPT), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._messages,
                    # Jupyter interrupts by signalling the whole process group.
                    start_new_session=True,
                )
            failed.pop_all()

    def compile(self, text: str, flags: list[str], *, disassemble: bool = False) -> CompiledText:
        """Compile a text.

        Parameters
        ----------
        text : str
        flags : list of str
            Options for clang.
        disassemble : bool
            Print the programs, too.

        Raises
        ------
        BccStopped, BccUnusable
        """
        reply, fds = self._ask({"compile": {"text": text, "flags": flags, "disassemble": disassemble}})
        names = reply.get("maps", [])
        return CompiledText(
            reply["compiled"],
            tuple(reply.get("functions", ())),
            dict(zip(names, fds, strict=False)),
            fds[len(names)] if len(fds) > len(names) else None,
            self._new_messages(),
        )

    def load(self, function: str, program_type: int, log_level: int) -> LoadAnswer:
        """Load a program of the text.

        Raises
        ------
        BccStopped
        """
        reply, fds = self._ask({"function": function, "type": program_type, "log_level": log_level})
        # libbcc prints the log too; what else it prints explains refusals that have none.
        return LoadAnswer(fds[0] if fds else -1, reply["errno"], reply["log"] or self._new_messages())

    def close(self) -> None:
        """End the process; safe to call again."""
        if self._messages < 0:
            return
        self._socket.close()
        self._process.kill()
        self._process.wait()
        os.close(self._messages)
        self._messages = -1

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        data = json.dumps(request | {"package": str(self._package)}).encode()
        fds: list[int] = []
        try:
            self._socket.sendall(struct.pack("<I", len(data)) + data)
            head, fds, flags, _ = socket.recv_fds(self._socket, 4, _MOST_FDS, socket.MSG_CMSG_CLOEXEC)
            if flags & socket.MSG_CTRUNC:
                # The kernel leaves out what this process cannot open any more, and says no more than this.
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            if len(head) < 4:
                raise self._stopped()
            reply: dict[str, Any] = json.loads(self._exactly(struct.unpack("<I", head)[0]))
            if "unusable" in reply:
                raise BccUnusable(reply["unusable"])
        except BaseException as error:
            close_all(fds)
            if isinstance(error, ConnectionError):
                raise self._stopped() from None
            raise
        return reply, fds

    def _exactly(self, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:
            part = self._socket.recv(min(size - len(data), 1 << 20))
            if not part:
                raise self._stopped()
            data += part
        return data

    def _stopped(self) -> BccStopped:
        status = self._process.wait()
        messages = self._new_messages()
        if "error" not in messages.lower():
            cause = f"signal {-status}" if status < 0 else f"status {status}"
            messages += f"error: bcc's compiler ended with {cause}\n"
        return BccStopped(messages)

    def _new_messages(self) -> str:
        data = os.pread(self._messages, os.fstat(self._messages).st_size, self._read)
        self._read += len(data)
        return data.decode("utf-8", "replace")
