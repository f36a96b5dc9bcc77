"""The live view of a trace: its rate, its losses, and its newest events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ebpf_lab.errors import UsageProblem
from ebpf_lab.live import still
from ebpf_lab.live.onlooker import Onlooker
from ebpf_lab.live.pace import INTERVAL
from ebpf_lab.live.sampler import Choice, Sampler

if TYPE_CHECKING:
    from ebpf_lab.live.widget import PulledWidget
    from ebpf_lab.session import Trace


class LiveView(Onlooker):
    """Shows a trace's events while it runs."""

    instead = "leave the live view out; ebpf-lab run NAME prints events in a terminal as they come"

    def __init__(self, trace: Trace) -> None:
        self._sampler = Sampler()
        self._choice = Choice()
        self._ending: dict[str, Any] = {"header": "", "notes": []}
        self._watch = trace.watch()
        super().__init__(trace, INTERVAL)

    @classmethod
    def of(cls, trace: Trace) -> LiveView:
        """Make a view of a trace that has not ended.

        Raises
        ------
        UsageProblem
            It has, or this is no notebook.
        """
        cls.check()
        if trace.ended:
            raise UsageProblem("this trace has ended", hint="trace.frame has all that came")
        return cls(trace)

    def _make_widget(self) -> PulledWidget:
        # Slow to import, and of use in notebooks alone.
        from ebpf_lab.live.widget import LiveWidget

        return LiveWidget(lambda: self._state, self._hear)

    def _chosen(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"kind": "choose", "what": "table" | "column" | "filter" as what, "value": str(value)}:
                self._choice = replace(self._choice, **{what: value})

    def _look(self, now: float) -> bool:
        changed = self._sampler.choose(self._choice)
        return self._sampler.look(self._trace.glimpse(), self._watch.take(), now) or changed

    def _shown(self) -> dict[str, Any]:
        return {**self._ending, **self._sampler.state()}

    def _finish(self) -> bool:
        results = self._trace.results()
        self._ending = {"header": results.header, "notes": list(results.notes)}
        return True

    def _still(self) -> dict[str, Any]:
        return still.bundle(self._state)

    def _close(self) -> None:
        self._trace.unwatch(self._watch)
