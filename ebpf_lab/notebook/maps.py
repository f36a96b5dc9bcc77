"""Which maps ``%bpf maps`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ebpf_lab.errors import UsageProblem
from ebpf_lab.notebook.registry import Background
from ebpf_lab.session import Trace
from ebpf_lab.source.words import did_you_mean

if TYPE_CHECKING:
    from ebpf_lab.live.map_view import MapView


def views(name: str, running: Sequence[Background], last: object) -> list[MapView]:
    """Views of maps.

    Parameters
    ----------
    name : str
        Of a background trace, or of a map of any of the traces; "" for all of them.
    running : sequence of Background
    last : object
        The trace that was made last, if there is one.

    Raises
    ------
    UsageProblem
        There are no traces, or none has this name or such a map.
    """
    traces = [entry.trace for entry in running]
    if isinstance(last, Trace) and last not in traces:
        traces.append(last)
    if not traces:
        raise UsageProblem("%bpf maps: nothing was traced yet", hint="run a %%bpf cell first")
    if not name:
        return [each.maps.live() for each in traces]
    for entry in running:
        if entry.name == name:
            return [entry.trace.maps.live()]
    for each in reversed(traces):
        if name in _maps(each):
            return [each.maps.live(name)]
    known = [
        *(entry.name for entry in running if entry.name),
        *(one for each in traces for one in _maps(each)),
    ]
    raise UsageProblem(
        f"%bpf maps {name}: there is no trace or map of this name",
        hint=did_you_mean(name, known) or "%bpf maps shows those of every trace that runs",
    )


def _maps(trace: Trace) -> list[str]:
    return [each.name for each in trace.spec.maps]
