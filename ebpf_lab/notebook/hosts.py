"""``%%bpf --on HOSTS`` and ``%bpf hosts``: a cell on several hosts of an ipyparallel cluster."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ebpf_lab import hosts
from ebpf_lab.errors import UsageProblem
from ebpf_lab.hosts.cluster import Cluster
from ebpf_lab.hosts.together import Together
from ebpf_lab.source.options import CellOptions


class HostCells:
    """The notebook's connection to a cluster, made when it is first needed."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None
        self._where = ""

    def prepare(self, source: str, given: CellOptions) -> Together:
        """Make the trace that a cell asks for."""
        return self._connected().prepare(
            source,
            given.hosts,
            seconds=given.seconds,
            events=given.events,
            command=given.command,
            attach=given.attach,
            set=given.settings,
            only=given.only,
            backend=given.backend,
            event=given.stream_types,
            keep=given.keep,
        )

    def table(self, arguments: list[str]) -> pd.DataFrame:
        """``%bpf hosts [CLUSTER]``: connect to another cluster if one is named, and list its hosts."""
        if len(arguments) > 1:
            raise UsageProblem(
                "%bpf hosts takes one cluster at most",
                hint="%bpf hosts, %bpf hosts PROFILE or %bpf hosts …/security/ipcontroller-client.json",
            )
        return self._connected(*arguments).table()

    def _connected(self, where: str | None = None) -> Cluster:
        # A cluster that was started anew is another one.
        if where is None and self._cluster is not None and self._cluster.current:
            return self._cluster
        where = self._where if where is None else where
        made = hosts.connect(where)
        if self._cluster is not None:
            self._cluster.close()
        self._cluster, self._where = made, where
        return made


def run(
    trace: Together, show_output: Callable[[bytes], None], show_header: Callable[[Together], None]
) -> None:
    """Run a trace, and show what its command printed on each host; where some fail, the others' header."""
    try:
        trace.run(print)
    except BaseException:
        _print_outputs(trace, show_output)
        if trace.results:
            show_header(trace)
        raise
    _print_outputs(trace, show_output)


def _print_outputs(trace: Together, show_output: Callable[[bytes], None]) -> None:
    for name, result in trace.results.items():
        if result.output:
            print(f"── {name}")
            show_output(result.output)
