"""The hosts of an ipyparallel cluster: who they are, and questions to them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ebpf_lab.errors import HostFailed, LabError, MissingFeature, UsageProblem
from ebpf_lab.hosts import remote
from ebpf_lab.hosts.carried import Machine
from ebpf_lab.hosts.engines import Engine, answers
from ebpf_lab.hosts.remote import Call
from ebpf_lab.hosts.together import Together
from ebpf_lab.source.words import did_you_mean, listing

_CONNECT = 10.0
"""Seconds within which a controller answers."""
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
        try:
            import ipyparallel
            import traitlets.log
        except ImportError:
            raise MissingFeature(
                "several hosts take ipyparallel, which is not installed",
                why="it starts the engines on them, knows them, and carries what is sent",
                hint="pip install 'ipyparallel>=8.8', here and on each host; then see docs/hosts.md",
            ) from None
        file = _connection_file(where)
        if not file.is_file():
            raise HostFailed(
                f"no cluster is known by {where!r}" if where else "no cluster is running",
                why=f"there is no {file}, which its controller writes",
                hint="docs/hosts.md says how a cluster is started; %bpf hosts FILE takes another file",
            )
        try:
            client = ipyparallel.Client(str(file), timeout=_CONNECT)
        except Exception as error:  # noqa: BLE001  # it reads the file without checking it
            raise HostFailed(
                f"the cluster of {file} does not answer",
                why=f"{type(error).__name__}: {error}".rstrip(": "),
                hint="start it again: its controller has ended, or cannot be reached from here",
            ) from None
        if client.curve_serverkey:
            log = traitlets.log.get_logger()
            logger = log.logger if isinstance(log, logging.LoggerAdapter) else log
            logger.addFilter(_unsigned)  # which changes nothing the second time
        return cls(client, file)

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
            ``host``, ``kernel``, ``architecture``, ``answer`` (timedelta:
            how long one takes) and ``verdict``.
        """
        self.meet()
        hosts = self.hosts
        verdicts, failed = answers(hosts, Call("judge"), within=_CHECK)
        rows = [
            {
                "host": name,
                "kernel": engine.machine.kernel,
                "architecture": engine.machine.architecture,
                "answer": pd.Timedelta(_answer_time(engine), "ns"),
                "verdict": verdicts[name] if name in verdicts else failed[name].what,
            }
            for name, engine in hosts.items()
            if engine.machine is not None
        ]
        rows += [
            {"host": name, "kernel": "", "architecture": "", "answer": pd.NaT, "verdict": error.what}
            for name, error in self.strangers.items()
        ]
        return pd.DataFrame(rows, columns=["host", "kernel", "architecture", "answer", "verdict"])

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


def _connection_file(where: str) -> Path:
    if where.endswith(".json") or "/" in where:
        return Path(where).expanduser()
    from IPython.core.profiledir import ProfileDir, ProfileDirError
    from IPython.paths import get_ipython_dir

    profile, _, cluster = where.partition(":")
    name = f"ipcontroller-{cluster}-client.json" if cluster else "ipcontroller-client.json"
    try:
        found = ProfileDir.find_profile_dir_by_name(  # type: ignore[no-untyped-call]
            get_ipython_dir(), profile or "default"
        )
    except ProfileDirError:
        return Path(get_ipython_dir()) / f"profile_{profile or 'default'}" / "security" / name
    return Path(found.security_dir) / name


def _unsigned(record: logging.LogRecord) -> bool:
    """Keep from the log that messages bear no signature, with each message, where CurveZMQ encrypts them."""
    return not record.getMessage().startswith("Message signing is disabled")


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


def _answer_time(engine: Engine) -> int:
    before = time.monotonic_ns()
    engine.ask(Call("clock"), within=_HELLO)
    return time.monotonic_ns() - before
