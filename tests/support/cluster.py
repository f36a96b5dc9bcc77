"""An ipyparallel cluster of the tests' own: engines in network namespaces, with host names of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_START = 60.0
"""Most seconds until a controller or an engine is there: tests run beside each other."""


class Namespaces:
    """A controller, and a host for each name: an engine in a network of its own, with a cable to this one.

    Attributes
    ----------
    connection : Path
        The file that clients connect by.
    """

    def __init__(self, directory: Path, names: Sequence[str]) -> None:
        self._directory = directory
        self._names = names
        self._security = directory / "profile/security"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # Set aside for tests of networks (RFC 2544); two runs of the tests have different ones.
        self._network = f"198.{18 + os.getpid() % 2}.{os.getpid() // 2 % 256}"
        self.connection = self._security / "ipcontroller-client.json"

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._stop()
            raise
        return self

    def _begin(self) -> None:
        for name in self._names:
            self._lay_cable(name)
        address = f"{self._network}.1"
        self._processes["controller"] = self._start(
            "controller",
            *_python("controller", self._directory),
            f"--ip={address}",
            f"--location={address}",
            "--IPController.enable_curve=True",
        )
        wait_for(lambda: (self._security / "ipcontroller-engine.json").exists() and self.connection.exists())
        for name in self._names:
            self._join(name)

    def _lay_cable(self, name: str) -> None:
        """Make a host: a shell in namespaces of its own that waits for a line before it starts an engine."""
        begin = f'hostname {name} && echo named && read line && exec "$@" </dev/null >$0 2>&1'
        engine = [*_python("engine", self._directory), f"--file={self._security}/ipcontroller-engine.json"]
        host = self._processes[name] = subprocess.Popen(
            ["unshare", "--net", "--uts", "sh", "-c", begin, f"{self._directory}/{name}.log", *engine],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert host.stdout is not None
        assert host.stdout.readline() == b"named\n"
        number = self._names.index(name)
        here, there = f"{self._network}.1", f"{self._network}.{number + 11}"
        cable = f"lab{os.getpid()}-{number}"
        for words in (
            f"ip link add {cable} type veth peer name eth0 netns {host.pid}",
            f"ip address add {here} peer {there} dev {cable}",
            f"ip link set {cable} up",
        ):
            subprocess.run(words.split(), check=True, timeout=30)
        self.inside(name, "ip", "link", "set", "lo", "up")
        self.inside(name, "ip", "address", "add", there, "peer", here, "dev", "eth0")
        self.inside(name, "ip", "link", "set", "eth0", "up")

    def _join(self, name: str) -> None:
        """Have a host start its engine."""
        host = self._processes[name]
        assert host.stdin is not None
        assert host.stdout is not None
        host.stdin.write(b"\n")
        host.stdin.close()
        host.stdout.close()

    def inside(self, name: str, *command: str) -> None:
        """Run a command in a host's network."""
        target = str(self._processes[name].pid)
        subprocess.run(["nsenter", "--target", target, "--net", *command], check=True, timeout=30)

    def kill(self, name: str) -> None:
        """End a host's engine without a word."""
        host = self._processes.pop(name)
        host.send_signal(signal.SIGKILL)
        host.wait()

    def _environment(self) -> dict[str, str]:
        return os.environ | {"IPYTHONDIR": str(self._directory)}

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self._directory / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._stop()


def _python(module: str, directory: Path) -> list[str]:
    return [sys.executable, "-m", f"ipyparallel.{module}", f"--profile-dir={directory}/profile"]


def wait_for(there: Callable[[], object], seconds: float = _START) -> None:
    """Wait until something is there."""
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
