"""QEMU's own control socket (docs/interop/qmp-spec), as much of it as is needed."""

from __future__ import annotations

import json
import shlex
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from ebpf_lab.errors import VirtualMachineError

_POLL_SECONDS = 0.02


class Control:
    """A connection to a running QEMU's control socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self("qmp_capabilities")

    def __call__(self, command: str, **arguments: object) -> Any:
        """Run one command and return what it answers.

        Raises
        ------
        VirtualMachineError
            When QEMU refuses it, or has ended.
        """
        request = {"execute": command} | ({"arguments": arguments} if arguments else {})
        try:
            self._socket.sendall(json.dumps(request).encode())
            while line := self._lines.readline():
                answer = json.loads(line)
                if "error" in answer:
                    raise VirtualMachineError(f"QEMU refuses {command}", why=answer["error"]["desc"])
                if "return" in answer:
                    return answer["return"]
                # Anything else is news of an event.
        except OSError:
            pass
        raise VirtualMachineError(f"QEMU ended at {command}")

    def save(self, state: Path) -> None:
        """Write the state of all but shared memory, and stop the machine."""
        self._without_shared_memory()
        self("migrate", uri=f"exec:cat >{shlex.quote(str(state))}")
        self._finish()

    def restore(self, state: Path) -> None:
        """Go on from a written state, in a machine that was started with ``-incoming defer``."""
        self._without_shared_memory()
        self("migrate-incoming", uri=f"exec:cat {shlex.quote(str(state))}")
        self._finish()

    def _without_shared_memory(self) -> None:
        capability = {"capability": "x-ignore-shared", "state": True}
        self("migrate-set-capabilities", capabilities=[capability])

    def _finish(self) -> None:
        while (answer := self("query-migrate")).get("status") != "completed":
            if answer.get("status") == "failed":
                raise VirtualMachineError(
                    "the machine's state cannot be written or read", why=answer.get("error-desc", "")
                )
            time.sleep(_POLL_SECONDS)

    def forward(self, host: int, guest: int) -> None:
        """Let the guest answer at a port of the host's loopback address."""
        said = self("human-monitor-command", **{"command-line": f"hostfwd_add tcp:127.0.0.1:{host}-:{guest}"})
        if said:
            raise VirtualMachineError(f"port {host} cannot be had for the machine", why=said.strip())

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()
