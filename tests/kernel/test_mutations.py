"""What one writes runs or is explained: the snippets with lines and words dropped, swapped, doubled."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType

import pytest
from support import kernel_objects
from support.backends import BCC, LIBBPF
from support.machine import EMULATED
from support.mutations import mutant

import ebpf_lab
from ebpf_lab.preparation import prepared
from ebpf_lab.source import snippets
from ebpf_lab.source.snippets import Snippet

LIMIT = 10.0 * (20 if EMULATED else 1)
"""Most seconds from the text to success or the error."""

ALL, SAMPLE, PORTION = 2000, 40, 20
"""How many mutants with --full, and without; and how many of them a test."""

ERRORS = {
    each.__name__
    for each in vars(ebpf_lab).values()
    if isinstance(each, type) and issubclass(each, ebpf_lab.LabError)
}

# bcc takes minutes where processors are emulated.
pytestmark = [LIBBPF, *([] if EMULATED else [BCC])]


@dataclass
class Tally:
    """The snippets, ready to be attached, and how many of their mutants ended how."""

    working: list[Snippet]
    ends: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each portion of the mutants."""
    count = ALL if metafunc.config.getoption("full") else SAMPLE
    metafunc.parametrize("first", range(0, count, PORTION))


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    read = [snippets.load(name) for name in snippets.names()]
    with contextlib.ExitStack() as stack:
        for each in read:
            # Of what is set up for workloads, programs themselves need the interface alone.
            if any(probe.startswith("xdp:") for probe in each.attach.values()):
                stack.enter_context(prepared(each))
        # The libraries that the first trace imports start threads of their own.
        ebpf_lab.trace(snippets.load("exec_ring.libbpf").text, seconds=0.01)
        made = Tally([each for each in read if not (EMULATED and each.name.endswith(".bcc"))])
        yield made
    said = ", ".join(f"{count} {end}" for end, count in made.ends.most_common())
    seconds, which = made.slowest
    plugins = request.config.pluginmanager
    with plugins.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nmutants: {said}; the slowest took {seconds:.1f} s ({which})")


@pytest.fixture
def no_warning() -> Iterator[None]:
    """Fail where the kernel's log has a warning at the end that it had not before."""
    with open("/dev/kmsg", "rb", buffering=0) as log:
        os.set_blocking(log.fileno(), False)
        os.lseek(log.fileno(), 0, os.SEEK_END)
        yield
        said = []
        with contextlib.suppress(BlockingIOError):
            while record := os.read(log.fileno(), 8192):
                said.append(record.decode(errors="replace"))
    bad = [record for record in said if re.search(r"WARNING|BUG|Oops|Call Trace|panic|lockup|stall", record)]
    assert not bad, "\n".join(said)


class TooLong(BaseException):
    """It took more than the limit.  Not an Exception: nothing on the way shall take it for its own."""


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TooLong


@pytest.fixture
def limited() -> Iterator[None]:
    """Raise :class:`TooLong` when the timer rings."""
    before = signal.signal(signal.SIGALRM, _too_long)
    yield
    signal.signal(signal.SIGALRM, before)


def end_of(snippet: Snippet, text: str) -> str:
    """How a text ends: "success", the name of one of the lab's errors, or a traceback of anything else."""
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        ebpf_lab.trace(text, seconds=0.01, attach=snippet.attach, backend=snippet.backend).results()
    except ebpf_lab.LabError as error:
        return type(error).__name__ if error.block() else "an error without words"
    except BaseException:  # noqa: BLE001  # whatever it is, it is what is looked for
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "success"


@pytest.mark.usefixtures("no_warning", "limited")
def test_mutants_run_or_are_explained(first: int, tally: Tally) -> None:
    failures = []
    for seed in range(first, first + PORTION):
        snippet = tally.working[seed % len(tally.working)]
        text = mutant(snippet.text, seed)
        before, start = kernel_objects.Snapshot(), time.monotonic()
        end = end_of(snippet, text)
        tally.slowest = max(tally.slowest, (time.monotonic() - start, f"mutant {seed} of {snippet.name}"))
        if left := kernel_objects.leaks(before):
            end = f"left behind: {', '.join(left)}"
        tally.ends[end.splitlines()[-1]] += 1
        if end not in {"success", *ERRORS}:
            changes = difflib.unified_diff(snippet.text.splitlines(), text.splitlines(), lineterm="", n=0)
            failures.append("\n".join([f"mutant {seed} of {snippet.name}:", *changes, end]))
    assert not failures, "\n\n".join(failures)
