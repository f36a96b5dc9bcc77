"""One trace on several hosts: all are attached before any begins, and what came of all is one frame."""

from __future__ import annotations

import contextlib
import pickle
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self

from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.hosts.carried import STAGES, Look
from ebpf_lab.hosts.clocks import Offset
from ebpf_lab.hosts.engines import Engine, answers
from ebpf_lab.hosts.failed import as_one
from ebpf_lab.hosts.gathered import Gathered
from ebpf_lab.hosts.remote import Call
from ebpf_lab.source.words import listing

_ANSWER = 20.0
"""Seconds within which an engine answers what takes it no time: some are emulated, or far away."""
_RESULT = 120.0
"""Seconds for a piece of a result: 8 MiB on the slowest of lines."""


class Together(Gathered):
    """A trace of several hosts; :meth:`ebpf_lab.hosts.cluster.Cluster.prepare` makes it.

    Attributes
    ----------
    stage : str
        What all hosts have come to: "loaded", "attached", "running" or "ended"; "" before that.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        source: str,
        options: Mapping[str, Any],
        failed: Mapping[str, LabError] | None = None,
    ) -> None:
        machines = {name: engine.machine for name, engine in engines.items()}
        super().__init__(machines, failed or {}, only=bool(options.get("only")))
        self._engines = dict(engines)
        self._source, self._options = source, dict(options)
        self._token = uuid.uuid4().hex
        self._started = False
        self.stage = ""
        self._untold = dict(self.errors)

    # Its life

    def run(self, say: Callable[[str], None] = lambda words: None) -> Self:
        """Compile on all hosts, attach on all, begin, wait for the end of all, and fetch what came.

        A host that fails is left out, and the others go on.  An interrupt ends the trace on all hosts and
        keeps what came.

        Parameters
        ----------
        say : callable
            Told at once of hosts that fail, in a sentence.

        Raises
        ------
        LabError
            Hosts failed, after everything else was done: :attr:`results` has what the others brought.
        """
        if self._started:
            raise UsageProblem("this trace was started before", hint="make another with Cluster.prepare(...)")
        self._started = True
        self._say = say
        total = len(self._engines) + len(self.errors)
        try:
            self._compare_clocks()
            self._ask_all(Call("begin"), self._source, self._options)
            for stage in ("loaded", "attached"):
                self._until(stage)
                self._ask_all(Call("allow"), stage)
            self.stage = "running"
            try:
                self._until("ended")
            except KeyboardInterrupt:
                self._ask_all(Call("end"))
                self._until("ended")
            self._compare_clocks()
            self._fetch()
        finally:
            self._drop()
        if self.errors:
            raise as_one(self._in_order(self.errors), total)
        return self

    @property
    def _active(self) -> dict[str, Engine]:
        return {name: engine for name, engine in self._engines.items() if name not in self.errors}

    def _ask_all(self, call: Call, *arguments: Any) -> dict[str, Any]:
        if call.function != "clock":
            arguments = (self._token, *arguments)
        found, failed = answers(self._active, call, *arguments, within=_ANSWER)
        self._leave_out(failed)
        return found

    def _until(self, stage: str) -> None:
        """Wait until every host has come so far, or has failed."""
        behind = True
        while behind and self._active:
            looks: dict[str, Look] = self._ask_all(Call("look"), stage)
            self._leave_out({name: look.error for name, look in looks.items() if look.error is not None})
            order = STAGES.index
            behind = any(order(look.stage) < order(stage) for look in looks.values())
            self.stage = self.stage if behind else stage
            if not behind or stage == "ended":
                # Wrong C fails everywhere, if not at once: then there is nobody to go on with.
                self._tell()

    def _leave_out(self, failed: Mapping[str, LabError]) -> None:
        for name, error in failed.items():
            if not error.source:
                error.source = self._source if error.where else ""
            self.errors[name] = self._untold[name] = error

    def _tell(self) -> None:
        if self._untold and self._active:
            failed = as_one(self._in_order(self._untold), len(self._engines))
            self._say(f"{failed.what}; going on with {listing(self._active)}")
        self._untold.clear()

    def _compare_clocks(self) -> None:
        for name, engine in self._active.items():
            try:
                measured = Offset.measured(partial(engine.ask, Call("clock"), within=_ANSWER))
            except LabError as error:
                self._leave_out({name: error})
                continue
            before = self._offsets.get(name)
            self._offsets[name] = before.and_later(measured) if before else measured

    def _fetch(self) -> None:
        looks = self._ask_all(Call("look"), "ended")
        for name, look in looks.items():
            pieces = []
            try:
                for number in range(look.pieces):
                    pieces.append(self._engines[name].ask(Call("piece"), self._token, number, within=_RESULT))
                self.results[name] = pickle.loads(b"".join(pieces))
            except LabError as error:
                self._leave_out({name: error})

    def _drop(self) -> None:
        """Have no host keep anything, those that failed on the way included."""
        there = {name: engine for name, engine in self._engines.items() if name in self._offsets}
        with contextlib.suppress(KeyboardInterrupt):
            answers(there, Call("drop"), self._token, within=_ANSWER)

    def __repr__(self) -> str:
        names = listing(self._engines or ["no host"])
        if not self.results:
            return f"<Trace on {names}, {'failed' if self.errors else 'not started'}>"
        return "\n".join((f"<Trace on {names}>", self.header, *self.notes))
