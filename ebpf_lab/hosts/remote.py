"""What a host's engine does for the lab: take a text through its stages, and hand over what came.

An engine works on one request at a time, and so each of these returns at once, or in a fifth of a second:
the trace itself has threads of its own.  One that nobody asks about any more ends by itself, so that nothing
stays attached where the notebook is gone.
"""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import platform
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ebpf_lab import session
from ebpf_lab.errors import HostFailed, LabError
from ebpf_lab.host import doctor
from ebpf_lab.host.answers import Answer
from ebpf_lab.hosts.carried import STAGES, HostResult, Look, Machine
from ebpf_lab.session import Trace

LEASE = 30.0
"""Seconds without a question after which a trace ends: longer than any healthy client is silent."""
_LOOK = 0.2
"""Longest that one question about a trace takes the engine."""
_PIECE = 8 << 20
"""Bytes of a result in one message: the engine's other messages wait no longer than for one of these."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function of this module to be called there.

    Engines get it by name: a function itself would travel as code, which only the same Python understands.
    """

    function: str

    def __call__(self, *arguments: Any) -> Any:
        return globals()[self.function](*arguments)

    @property
    def __name__(self) -> str:
        return self.function


class _Held:
    """One trace of this engine's, from its first question to its last."""

    def __init__(self, token: str, source: str, options: Mapping[str, Any]) -> None:
        self._token, self._source, self._options = token, source, options
        self._changed = threading.Condition()
        self._stage = STAGES[0]
        self._allowed: set[str] = set()
        self._ending = self._dropped = False
        self._error: LabError | None = None
        self._result = memoryview(b"")
        self._asked = time.monotonic()
        self._trace: Trace | None = None
        self._thread = threading.Thread(target=self._run, name="ebpf-lab-host", daemon=True)
        self._thread.start()

    # Asked by the engine's main thread

    def look(self, stage: str) -> Look:
        """How far it is, once it has come to ``stage``, or after a moment."""
        with self._changed:
            self._asked = time.monotonic()
            self._changed.wait_for(lambda: STAGES.index(self._stage) >= STAGES.index(stage), _LOOK)
            return Look(self._stage, -(-len(self._result) // _PIECE), self._error)

    def allow(self, stage: str) -> None:
        """Let it go on from ``stage``."""
        with self._changed:
            self._allowed.add(stage)
            self._changed.notify_all()

    def end(self) -> None:
        """End it; what came so far is its result."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            if self._trace is not None:
                self._trace.end()

    def drop(self) -> None:
        """End it, and forget it."""
        with self._changed:
            self._dropped = True
        self.end()
        self._thread.join(_LOOK)  # so that nothing is attached any more, unless it still compiles

    def piece(self, number: int) -> bytes:
        """A part of the result."""
        with self._changed:
            self._asked = time.monotonic()
        return self._result[number * _PIECE : (number + 1) * _PIECE].tobytes()

    # Its own thread

    def _run(self) -> None:
        try:
            self._result = memoryview(pickle.dumps(self._traced(), pickle.HIGHEST_PROTOCOL))
        except LabError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  # the one who asks raises it
            self._error = HostFailed(f"{type(error).__name__}: {error}", log=traceback.format_exc())
        self._reach("ended")
        with self._changed:
            while not (self._dropped or self._forgotten()):
                self._changed.wait(1.0)
        _held.pop(self._token, None)

    def _traced(self) -> HostResult:
        printed: list[bytes] = []
        trace = session.prepare(self._source, output=printed.append, **self._options)
        trace.in_step(self._wait)
        with self._changed:
            self._trace = trace
            if self._ending:
                trace.end()
        with trace:
            self._reach("running")
            while not trace.join(_LOOK):
                if self._forgotten():
                    trace.end()
        results = trace.results()
        return HostResult(
            frames=dict(results.frames),
            maps=dict(results.maps),
            main=results.main_name if results.frames or results.maps else "",
            seconds=results.seconds,
            header=results.header,
            facts=results.facts,
            notes=results.notes,
            stats=results.stats,
            clock=results.account.clock,
            delivered=results.delivered,
            dropped=results.dropped,
            status=trace.command_status,
            output=b"".join(printed),
            warnings=tuple(trace.warnings),
        )

    def _wait(self, stage: str) -> None:
        self._reach(stage)
        with self._changed:
            while not (stage in self._allowed or self._ending or self._forgotten()):
                self._changed.wait(1.0)
            if stage not in self._allowed and self._trace is not None:
                self._trace.end()

    def _reach(self, stage: str) -> None:
        with self._changed:
            self._stage = stage
            self._changed.notify_all()

    def _forgotten(self) -> bool:
        return time.monotonic() - self._asked > LEASE


_held: dict[str, _Held] = {}


def identify() -> Machine:
    """Say where this engine runs, and with what."""
    try:
        lab = importlib.metadata.version("ebpf-lab")
    except importlib.metadata.PackageNotFoundError:
        lab = "not installed"
    return Machine(
        name=platform.node(),
        kernel=platform.release(),
        architecture=platform.machine(),
        boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip() if sys.platform == "linux" else "",
        pid=os.getpid(),
        python=platform.python_version(),
        pandas=pd.__version__,
        lab=lab,
    )


def judge() -> tuple[bool, tuple[str, ...]]:
    """Whether the course can run on this host, and what of all that lessons use is missing."""
    found = doctor.report()
    used = (*doctor.NEEDED, *doctor.BY_SOME)
    missing = [each.name for each in found if each.answer is not Answer.YES and each.name in used]
    return doctor.verdict(found).course, tuple(missing)


def clock() -> int:
    """The clock of this host that traces begin by."""
    return time.monotonic_ns()


def begin(token: str, source: str, options: Mapping[str, Any]) -> None:
    """Begin to prepare a trace; ``options`` are those of :func:`ebpf_lab.session.prepare`."""
    _held[token] = _Held(token, source, options)


def look(token: str, stage: str) -> Look:
    """How far a trace is: as soon as it has come to ``stage``, or after a moment."""
    return _known(token).look(stage)


def allow(token: str, stage: str) -> None:
    """Let a trace go on from ``stage``."""
    _known(token).allow(stage)


def end(token: str) -> None:
    """End a trace and keep what it brought."""
    _known(token).end()


def piece(token: str, number: int) -> bytes:
    """A part of a trace's result, which is a pickled :class:`HostResult`."""
    return _known(token).piece(number)


def drop(token: str) -> None:
    """End a trace if there is one, and forget what it brought."""
    if token in _held:
        _held[token].drop()


def _known(token: str) -> _Held:
    if token not in _held:
        raise HostFailed(
            "the trace was ended and forgotten",
            why=f"this host was not asked about it for {LEASE:.0f} s",
        )
    return _held[token]
