"""The hosts of an ipyparallel cluster: who they are, and questions to them."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ebpf_lab.errors import HostFailed, LabError, UsageProblem
from ebpf_lab.hosts import connection, remote
from ebpf_lab.hosts.carried import Machine
from ebpf_lab.hosts.engines import Engine, answers
from ebpf_lab.hosts.remote import Call
from ebpf_lab.hosts.together import Together
from ebpf_lab.source.words import did_you_mean, listing

_HELLO = 60.0
"""Seconds within which an engine has said who it is: at first it imports the lab, and some are emulated."""
_CHECK = 120.0
"""Seconds within which the doctor has tried everything, there as well."""


class Cluster:
    """A connection to a cluster; :func:`ebpf_lab.hosts.connect` makes it."""

    def __init__(self, client: Any, file: Path) -> None:
        self._client = client
        self._file, self._made = file, _written(file)
        self._known: dict[int, Machine | LabError] = {}

    @classmethod
    def connect(cls, where: str = "") -> Cluster:
        """Connect as :func:`ebpf_lab.hosts.connect` does."""
        file = connection.file_of(where)
        return cls(connection.client(file, where), file)

    def close(self) -> None:
        """End the connection; the engines stay."""
        self._client.close()

    @property
    def current(self) -> bool:
        """Whether the connection file is as it was: a controller writes its own, and takes it away."""
        return _written(self._file) == self._made

    @property
    def hosts(self) -> Mapping[str, Engine]:
        """Engines that can be used, by the name of their host; where one has several, by ``NAME:NUMBER``."""
        machines = {number: known for number, known in self._here().items() if isinstance(known, Machine)}
        counts = Counter(machine.name for machine in machines.values())
        names = {
            machine.name if counts[machine.name] == 1 else f"{machine.name}:{number}": number
            for number, machine in machines.items()
        }
        return {name: Engine(self._client, names[name], machines[names[name]]) for name in sorted(names)}

    @property
    def strangers(self) -> Mapping[str, LabError]:
        """Why other engines cannot be used, by their number in words."""
        return {
            f"engine {number}": known for number, known in self._here().items() if isinstance(known, LabError)
        }

    def meet(self) -> None:
        """Ask engines who they are that have not said so yet."""
        known = self._known
        new = [number for number in self._client.ids if not isinstance(known.get(number), Machine)]
        engines = {str(number): Engine(self._client, number) for number in new}
        found, failed = answers(engines, Call("identify"), within=_HELLO)
        here = remote.identify()
        known |= {int(name): _unlike(machine, here) or machine for name, machine in found.items()}
        known |= {int(name): error for name, error in failed.items()}

    def _here(self) -> dict[int, Machine | LabError]:
        return {number: self._known[number] for number in self._client.ids if number in self._known}

    def chosen(self, names: Sequence[str] = ()) -> tuple[dict[str, Engine], dict[str, LabError]]:
        """The engines of these hosts, of all unless named, and why others of these cannot be used.

        Raises
        ------
        UsageProblem
            There is no host of a name.
        HostFailed
            There are no hosts.
        """
        everyone = not names or tuple(names) == ("all",)
        if everyone or not all(name in self.hosts for name in names):
            self.meet()
        hosts, strangers = self.hosts, self.strangers
        if not hosts and not strangers:
            raise HostFailed(
                "the cluster has no engines",
                why="its controller runs, and no host has joined it",
                hint="ipengine on each host joins it: docs/hosts.md",
            )
        if everyone:
            return dict(hosts), dict(strangers)
        for name in names:
            if name not in hosts:
                parts = sorted(host for host in hosts if host.rpartition(":")[0] == name)
                there = [f"the cluster has {listing(hosts or ['no host that can be used'])}"]
                there += [f"{stranger}: {error.what}" for stranger, error in strangers.items()]
                raise UsageProblem(
                    f"there is no host {name}",
                    why=f"it has several engines: {listing(parts)}" if parts else "\n".join(there),
                    hint=f"name one of them: --on {parts[0]}" if parts else did_you_mean(name, hosts),
                )
        return {name: hosts[name] for name in names}, {}

    def table(self) -> pd.DataFrame:
        """Each host, and what the lab's doctor says there.

        Returns
        -------
        DataFrame
            ``host``, ``kernel``, ``architecture``, ``course`` (bool: whether the course can run there),
            ``remark`` (what is missing there, or why it cannot be used) and ``answer_ms`` (how long an answer
            takes).
        """
        self.meet()
        hosts = self.hosts
        judged, failed = answers(hosts, Call("judge"), within=_CHECK)
        rows: list[dict[str, object]] = []
        for name, engine in hosts.items():
            machine = engine.machine
            assert machine is not None
            course, missing = judged.get(name, (False, ()))
            lacks = f"without {listing(missing)}" if missing else ""
            rows.append(
                {
                    "host": name,
                    "kernel": machine.kernel,
                    "architecture": machine.architecture,
                    "course": course,
                    "remark": failed[name].what if name in failed else lacks,
                    "answer_ms": _answer_time(engine) if name not in failed else math.nan,
                }
            )
        rows += [
            {"host": name, "kernel": "", "architecture": "", "course": False, "remark": error.what}
            for name, error in self.strangers.items()
        ]
        columns = ["host", "kernel", "architecture", "course", "remark", "answer_ms"]
        return pd.DataFrame(rows, columns=columns)

    def prepare(self, source: str, on: Sequence[str] = (), **options: Any) -> Together:
        """Make a trace of several hosts, and leave it unstarted.

        Parameters
        ----------
        source : str
            C text.
        on : sequence of str
            Names of hosts; all unless given.
        options
            Those of :func:`ebpf_lab.trace` but for ``output``: the same on each host.
        """
        engines, failed = self.chosen(on)
        return Together(engines, source, options, failed)

    def trace(self, source: str, on: Sequence[str] = (), **options: Any) -> Together:
        """Run a text on several hosts at once, and return what came.

        Raises
        ------
        LabError
            A host failed.  :meth:`prepare` keeps what the others brought.
        """
        return self.prepare(source, on, **options).run()

    def __repr__(self) -> str:
        return f"<Cluster {self._file}: {len(self._client.ids)} engines>"


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _unlike(there: Machine, here: Machine) -> LabError | None:
    """Why that host's answers would not be understood here."""
    for what, has, needs in (
        ("eBPF lab", there.lab, here.lab),
        ("pandas", there.pandas.split(".")[0], here.pandas.split(".")[0]),
    ):
        if has != needs:
            return HostFailed(
                f"{there.name} has {what} {has}, and this notebook {needs}",
                why="frames travel as Python objects, which both sides must know alike",
                hint=f"install the same {what} on both",
            )
    return None


def _answer_time(engine: Engine) -> float:
    before = time.monotonic()
    engine.ask(Call("clock"), within=_HELLO)
    return round(1000 * (time.monotonic() - before), 1)
