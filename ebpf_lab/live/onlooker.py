"""What every view of a running trace has: a thread that looks on, and a widget that shows what it saw.

All that is sent to the page once the trace runs comes from that thread, which ends with the trace.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.live import shell
from ebpf_lab.live.pace import Pace

if TYPE_CHECKING:
    from ebpf_lab.live.widget import PulledWidget
    from ebpf_lab.session import Trace

_UNWATCHED_SECONDS = 0.5
"""Least time between two looks while no page shows them: what is counted goes on."""
_LEAST_UPDATES_SECONDS = 0.5
"""Longest time between two updates where nothing happens: the clock goes on."""
_STEP_SECONDS = 0.05
"""Longest time until the end of the trace is seen."""


class Onlooker(ABC):
    """One view; a cell that ends with it shows it.

    Parameters
    ----------
    trace : Trace
    interval : float
        Least seconds between two looks.
    """

    instead = ""
    """What to do where there is no notebook."""

    def __init__(self, trace: Trace, interval: float) -> None:
        self._trace = trace
        self._interval = interval
        self._pace = Pace(interval)
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ebpf-lab-live", daemon=True)
        self._state: dict[str, Any] = {}
        self._update(0)
        self._widget = self._make_widget()
        shell.serve_also(self._widget.comm.comm_id)
        self._display = shell.Display()
        trace.attend(self._thread.start, shell.serve)

    @classmethod
    def check(cls) -> None:
        """Refuse where no page could show it.

        Raises
        ------
        UsageProblem
        """
        if not shell.in_notebook():
            raise UsageProblem(
                "a live view needs a notebook",
                why="this Python does not run behind a page that could show it",
                hint=cls.instead,
            )

    @abstractmethod
    def _make_widget(self) -> PulledWidget:
        """The widget, which shows ``self._state`` and tells :meth:`_hear`."""

    @abstractmethod
    def _look(self, now: float) -> bool:
        """Take note of what there is now; whether that is something new."""

    @abstractmethod
    def _shown(self) -> dict[str, Any]:
        """What there is to show."""

    @abstractmethod
    def _chosen(self, message: Mapping[str, Any]) -> None:
        """Take note of what the reader chose."""

    @abstractmethod
    def _still(self) -> dict[str, Any]:
        """The state by MIME type, for pages without widgets."""

    def _finish(self) -> bool:
        """Learn what is known only after the end; whether there is such."""
        return False

    def _close(self) -> None:  # noqa: B027  # most have nothing to give back
        """Give back what looking on took."""

    def join(self, seconds: float | None = None) -> Self:
        """Wait until the end of the trace is shown."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return self

    def _ipython_display_(self) -> None:
        self._display.show({**self._still(), **({} if self._trace.ended else self._widget.view())})

    def _hear(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"kind": "shown", "number": int(number)}:
                self._pace.shown(number)
            case {"kind": "arrived"}:
                self._pace.arrived()
            case {"kind": "stop"}:
                self._trace.end()
            case _:
                self._chosen(message)
        self._wake.set()

    def _run(self) -> None:
        try:
            updated = 0.0
            while not self._trace.ended:
                now = time.monotonic()
                fresh = self._look(now)
                if self._pace.may_send(now) and (fresh or now - updated >= _LEAST_UPDATES_SECONDS):
                    self._send(now)
                    updated = now
                self._rest(now)
            self._look(time.monotonic())
            # That it has ended shows at once: what is learnt afterwards may take a while.
            self._send(time.monotonic())
            if self._trace.error is None and self._finish():
                self._send(time.monotonic())
            # A page that opens the notebook another day finds no widget behind it.
            self._display.update(self._still())
        finally:
            self._close()

    def _send(self, now: float) -> None:
        self._update(self._pace.send(now))
        self._widget.push()

    def _rest(self, began: float) -> None:
        """Wait until it is time for the next look."""
        while not self._trace.ended:
            pause = self._interval if self._pace.watched else max(self._interval, _UNWATCHED_SECONDS)
            left = began + pause - time.monotonic()
            if left <= 0:
                return
            self._wake.wait(min(left, _STEP_SECONDS))
            self._wake.clear()

    def _update(self, number: int) -> None:
        trace = self._trace
        self._state = {
            "number": number,
            "phase": _phase(trace),
            "step": trace.step,
            "seconds": trace.seconds,
            "probes": [str(program.probe) for program in trace.spec.programs],
            "error": _block(trace.error),
            **self._shown(),
        }


def _phase(trace: Trace) -> str:
    if trace.error is not None:
        return "failed"
    if trace.ended:
        return "ended"
    return "running" if trace.attached else "preparing"


def _block(error: Exception | None) -> str:
    if error is None:
        return ""
    return error.block() if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
