"""The mistakes in ``data/mistakes`` for real: compiled, with what is shown word for word, and mended."""

from __future__ import annotations

import subprocess
from functools import cache

import pytest
from support.backends import BCC, LIBBPF
from support.mistakes import Mistake, mistakes, shown, taught

from ebpf_lab.backends import bcc_package
from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.errors import LabError
from ebpf_lab.host import tool_probes
from ebpf_lab.source import oversights
from ebpf_lab.source.analyse import analyse

_MARKS = {"libbpf": LIBBPF, "bcc": BCC}
# The blocks hold words of these versions' compilers (both LLVM 14).
_RECORDED_WITH = {"libbpf": "clang version 14.", "bcc": "0.26."}

each_mistake = pytest.mark.parametrize(
    "mistake", [pytest.param(case, id=case.name, marks=_MARKS[case.dialect]) for case in mistakes()]
)


def run(text: str) -> None:
    spec = analyse(text)
    compiled = backend_for(spec.dialect)(spec, BuildOptions())
    try:
        oversights.check(spec)
        compiled.load({}).close()
    finally:
        compiled.close()


@cache
def as_recorded(dialect: str) -> bool:
    if dialect == "bcc":
        version = tool_probes.bcc_version(bcc_package.find())
    else:
        version = subprocess.run(
            [tool_probes.clang(), "--version"], capture_output=True, text=True, check=True
        ).stdout
    return _RECORDED_WITH[dialect] in version


def test_there_are_cases_of_both_dialects() -> None:
    count = {dialect: sum(case.dialect == dialect for case in mistakes()) for dialect in _MARKS}
    assert count["libbpf"] >= 45
    assert count["bcc"] >= 35


@each_mistake
def test_the_mistake_is_explained(mistake: Mistake) -> None:
    with pytest.raises(LabError) as caught:
        run(mistake.cell)
    block = shown(caught.value.block())
    if as_recorded(mistake.dialect):
        assert block == mistake.error
    else:
        assert taught(block) == taught(mistake.error)


@each_mistake
def test_the_fix_mends_it(mistake: Mistake) -> None:
    run(mistake.fixed)
