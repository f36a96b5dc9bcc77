"""Whether a snippet loads into the running kernel: compiled and verified, attached nowhere."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from typing import Literal

from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.errors import LabError
from ebpf_lab.host import features
from ebpf_lab.host.answers import Answer
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.snippets import Snippet
from ebpf_lab.source.spec import Program

State = Literal["loaded", "rejected", "not loaded", "FAILED"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one snippet.

    Attributes
    ----------
    name : str
    state : str
        "rejected" is what must be rejected and was, with the words it says; "not loaded" is what needs
        something that this machine has not; anything else that does not load is "FAILED".
    why : str
        Why it is not loaded, what failed, or why it is loaded where it might be rejected; else "".
    """

    name: str
    state: State
    why: str = ""


def check(snippet: Snippet) -> Outcome:
    """Compile and load a snippet, and release it again."""
    missing = features.missing(snippet.needs)
    if missing is not None:
        # Not to know whether a feature is there is a failure: nothing can be said then.
        state: State = "not loaded" if missing.answer is Answer.NO else "FAILED"
        return Outcome(snippet.name, state, f"needs {missing.name}: {missing.reason}")
    error = _load(snippet)
    if snippet.rejection is None:
        if error is None:
            return Outcome(snippet.name, "loaded")
        return Outcome(snippet.name, "FAILED", f"{type(error).__name__}: {error.what}")
    failure = snippet.rejection.failure(error, platform.release())
    if failure:
        return Outcome(snippet.name, "FAILED", failure)
    if error is None:
        return Outcome(snippet.name, "loaded", "this kernel takes it, as its header says")
    return Outcome(snippet.name, "rejected")


def _load(snippet: Snippet) -> LabError | None:
    # Here, because only this takes Linux.
    from ebpf_lab.running import placed

    try:
        spec = analyse(snippet.text, dialect=snippet.backend, attach=snippet.attach)
        spec = replace(spec, programs=tuple(map(_at_loopback, spec.programs)))
        spec, places, _ = placed(spec)
        compiled = backend_for(spec.dialect)(spec, BuildOptions())
        try:
            compiled.load(places).close()
        finally:
            compiled.close()
    except LabError as error:
        return error
    return None


def _at_loopback(program: Program) -> Program:
    """The same program on an interface that is always there: the snippet's own is made when it runs."""
    if program.probe is None or program.probe.kind != "xdp":
        return program
    return replace(program, probe=Probe.parse("xdp:lo"))
