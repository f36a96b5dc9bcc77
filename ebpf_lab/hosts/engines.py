"""Questions to engines; what goes wrong on the way becomes errors that name it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ebpf_lab.errors import HostFailed, LabError
from ebpf_lab.hosts.carried import Machine
from ebpf_lab.hosts.remote import Call


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine of a cluster, by its number; ``machine`` once it has said where it runs."""

    client: Any
    number: int
    machine: Machine | None = None

    def send(self, call: Call, *arguments: Any) -> Any:
        """Send a question, and return ipyparallel's promise of the answer."""
        return self.client[self.number].apply_async(call, *arguments)

    def ask(self, call: Call, *arguments: Any, within: float) -> Any:
        """Send a question and wait for the answer.

        Raises
        ------
        LabError
            What the function raised; or there is no answer within so many seconds.
        """
        found, failed = answers({"": self}, call, *arguments, within=within)
        if failed:
            raise failed[""]
        return found[""]


def answers(
    engines: Mapping[str, Engine], call: Call, *arguments: Any, within: float
) -> tuple[dict[str, Any], dict[str, LabError]]:
    """Send a question to each, and return the answers, and the errors of those that have none."""
    from ipyparallel.error import KernelError

    sent: dict[str, Any] = {}
    found: dict[str, Any] = {}
    failed: dict[str, LabError] = {}
    deadline = time.monotonic() + within
    try:
        for name, engine in engines.items():
            try:
                sent[name] = engine.send(call, *arguments)
            except (IndexError, KernelError):
                failed[name] = _gone()
        for name, promise in sent.items():
            try:
                found[name] = promise.get(max(deadline - time.monotonic(), 0.0))
            except TimeoutError:
                failed[name] = _silent(within)
            except KernelError as error:
                failed[name] = _understood(error)
    finally:
        # The client keeps every answer, and the lab asks often.
        for name, promise in sent.items():
            with contextlib.suppress(Exception):
                engines[name].client.purge_local_results(promise)
    return found, failed


def _gone() -> HostFailed:
    return HostFailed(
        "its engine has ended",
        why="with a process, all that it attached is detached",
        hint="start it again: docs/hosts.md",
    )


def _silent(seconds: float) -> HostFailed:
    return HostFailed(
        f"its engine has not answered for {seconds:g} s",
        why="it works on something else, or the host cannot be reached",
        hint="%bpf hosts asks all of them",
    )


def _understood(error: Any) -> LabError:
    """What an engine answered with, as one of ours."""
    name, text = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    if name == "EngineError":
        return _gone()
    if name in ("ModuleNotFoundError", "ImportError", "AttributeError") and "ebpf_lab" in text:
        return HostFailed(
            f"its Python has no eBPF lab that fits: {text}",
            why="an engine runs in the Python that ipengine was started with",
            hint="install this version of the lab there, and start ipengine from that environment",
        )
    what = text if name == HostFailed.__name__ else f"{name}: {text}"
    return HostFailed(what, log=getattr(error, "traceback", "") or "")
