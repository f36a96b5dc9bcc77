"""Rejected programs, loaded: logs as the lab asks for them say what the recorded ones say in more detail."""

from __future__ import annotations

import platform
import re
import subprocess

import pytest
from support.backends import LIBBPF
from support.machine import EMULATED

from benchmarks import diagnose as bench
from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.errors import VerifierRejected
from ebpf_lab.host import tool_probes
from ebpf_lab.source.analyse import analyse

# Other compilers make other instructions of the same C.
RECORDED_WITH = "clang version 14."


def recorded() -> list[object]:
    """The programs whose logs are of the running kernel; none where it would take minutes."""
    if EMULATED:
        return []
    version = re.match(r"\d+\.\d+", platform.release())
    groups = [group for group in bench.groups() if version and group.endswith(f"/{version[0]}")]
    return [case for group in groups for case in bench.cases(group)]


@LIBBPF
def test_what_the_learner_reads() -> None:
    said = subprocess.run([tool_probes.clang(), "--version"], capture_output=True, text=True, check=True)
    for case in recorded() if RECORDED_WITH in said.stdout else ():
        # A million steps cost their time, and bcc compiles slowly.
        if case.rule == "too many instructions" or case.name.endswith(".bcc"):
            continue
        expected = case.diagnosis()
        spec = analyse(case.text, attach=case.attach)
        compiled = backend_for(spec.dialect)(spec, BuildOptions())
        try:
            with pytest.raises(VerifierRejected) as caught:
                compiled.load({}).close()
        finally:
            compiled.close()
        error = caught.value
        assert (error.rule, error.where) == (expected.rule, expected.where), case.name
        # The running kernel knows what its types have; the recorded logs do not.
        if error.rule != "relocation":
            assert (error.why, error.hint) == (expected.why, expected.hint), case.name
