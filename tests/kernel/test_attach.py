"""Programs attach, run exactly as often as the thing happens, and are gone with their descriptors."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import kernel_objects
from support.bytecode import TRACE_FENTRY, TRACE_FEXIT, TRACE_RAW_TP, Counter, counter, instruction
from support.nobody import as_nobody

from ebpf_lab.attach import attach
from ebpf_lab.backends.loaded import LoadedProgram, close_all
from ebpf_lab.errors import AttachError, LabError, MissingPrivilege
from ebpf_lab.host import btf_ids, perf_events, programs, system_calls
from ebpf_lab.host.syscalls import ProgType, online_cpus
from ebpf_lab.host.targets import (
    KernelFunction,
    RawTracepoint,
    Sampling,
    Target,
    UserProbe,
    UserSite,
    resolve,
)
from ebpf_lab.source.probe import Probe

N = 23
"""A prime number of events, so that no wrong factor hides."""


@pytest.fixture
def count() -> Iterator[Counter]:
    with counter() as made:
        yield made


def call(times: int = N) -> None:
    """Make a system call that hardly any program makes."""
    for _ in range(times):
        os.getpgid(os.getpid())


def rename(times: int = N) -> None:
    """Hit the tracepoint task:task_rename."""
    name = Path("/proc/self/comm").read_text()
    for _ in range(times):
        Path("/proc/self/comm").write_text(name)


def runs_while_attached(
    count: Counter, program: LoadedProgram, target: Target, act: Callable[[], None]
) -> int:
    """Runs while attached: there must be a link a descriptor, and after closing neither link nor run."""
    before = kernel_objects.ids("link")
    fds = attach(program, target)
    assert len(kernel_objects.ids("link") - before) == len(fds)
    act()
    runs = count.runs
    close_all(fds)
    assert kernel_objects.ids("link") - before == set()
    act()
    assert count.runs == runs, "it still runs once detached"
    return runs


@pytest.mark.needs("tracepoint")
def test_tracepoint(count: Counter) -> None:
    target = resolve(Probe.parse("tracepoint:syscalls:sys_enter_getpgid"))
    program = count.program(ProgType.TRACEPOINT, own=True)
    assert runs_while_attached(count, program, target, call) == N


@pytest.mark.needs("raw_tracepoint")
def test_raw_tracepoint(count: Counter) -> None:
    target = resolve(Probe.parse("rawtracepoint:task_rename"))
    program = count.program(ProgType.RAW_TRACEPOINT, own=True)
    assert runs_while_attached(count, program, target, rename) == N


@pytest.mark.needs("tp_btf")
def test_typed_raw_tracepoint(count: Counter) -> None:
    target = resolve(Probe.parse("tp_btf:task_rename"))
    number = btf_ids.kernel_ids([(btf_ids.TYPEDEF, "btf_trace_task_rename")])["btf_trace_task_rename"]
    program = count.program(ProgType.TRACING, own=True, attach_type=TRACE_RAW_TP, btf_id=number)
    assert runs_while_attached(count, program, target, rename) == N


@pytest.mark.needs("fentry")
@pytest.mark.parametrize(("kind", "attach_type"), [("fentry", TRACE_FENTRY), ("fexit", TRACE_FEXIT)])
def test_function_entry_and_exit(count: Counter, kind: str, attach_type: int) -> None:
    target = resolve(Probe.parse(f"{kind}:sys_getpgid"))
    name = system_calls.function_of("getpgid")
    number = btf_ids.kernel_ids([(btf_ids.FUNCTION, name)])[name]
    program = count.program(ProgType.TRACING, own=True, attach_type=attach_type, btf_id=number)
    assert runs_while_attached(count, program, target, call) == N


@pytest.mark.needs("kprobe")
@pytest.mark.parametrize(
    "probe",
    [
        "kprobe:sys_getpgid",
        "kretprobe:sys_getpgid",
        "ksyscall:getpgid",
        "kretsyscall:getpgid",
        "kprobe:__x64_sys_getpgid",
        "kprobe:__arm64_sys_getpgid",
    ],
)
def test_kernel_function(count: Counter, probe: str) -> None:
    target = resolve(Probe.parse(probe))
    program = count.program(ProgType.KPROBE, own=True)
    assert runs_while_attached(count, program, target, call) == N


@pytest.mark.needs("uprobe")
@pytest.mark.parametrize("kind", ["uprobe", "uretprobe"])
def test_user_function(count: Counter, say: Path, kind: str) -> None:
    target = resolve(Probe.parse(f"{kind}:{say}:double_it"))
    program = count.program(ProgType.KPROBE)
    assert runs_while_attached(count, program, target, lambda: spoken(say)) == N


@pytest.mark.needs("uprobe")
def test_a_bare_address_is_what_nm_prints(count: Counter, say: Path) -> None:
    listing = subprocess.run(["nm", str(say)], capture_output=True, text=True, check=True).stdout
    (address,) = (line.split()[0] for line in listing.splitlines() if line.endswith(" double_it"))
    target = resolve(Probe.parse(f"uprobe:{say}:0x{address}"))
    assert target == resolve(Probe.parse(f"uprobe:{say}:double_it"))
    assert runs_while_attached(count, count.program(ProgType.KPROBE), target, lambda: spoken(say)) == N


@pytest.mark.needs("uprobe")
def test_every_instruction_of_a_function_can_be_probed_and_no_other_byte(count: Counter, say: Path) -> None:
    command = ["objdump", "-d", "--disassemble=double_it", str(say)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    begins = [int(at, 16) for at in re.findall(r"^ *([0-9a-f]+):\t", listing, re.MULTILINE)]
    assert len(begins) >= 2
    for address in range(begins[0], begins[-1]):
        probe = Probe.parse(f"uprobe:{say}:double_it+{address - begins[0]}")
        assert (address in begins) == resolves(f"uprobe:{say}:{address:#x}")
        if address in begins:
            target = resolve(probe)
            runs = count.runs
            fds = attach(count.program(ProgType.KPROBE), target)
            spoken(say)
            close_all(fds)
            assert count.runs - runs == N
        else:
            with pytest.raises(AttachError, match="in the middle of an instruction"):
                resolve(probe)


@pytest.mark.needs("uprobe")
def test_library_by_soname(count: Counter, say: Path) -> None:
    target = resolve(Probe.parse("uprobe:libc:printf"))
    # Other programs may print meanwhile.
    assert runs_while_attached(count, count.program(ProgType.KPROBE), target, lambda: spoken(say)) >= N


@pytest.mark.needs("uprobe")
def test_an_ifunc_is_probed_where_it_leads(count: Counter) -> None:
    text = "x" * N

    def measure() -> None:
        import ctypes

        for _ in text:
            ctypes.CDLL(None).strlen(text.encode())

    target = resolve(Probe.parse("uprobe:libc:strlen"))
    fds = attach(count.program(ProgType.KPROBE, own=True), target)
    measure()
    close_all(fds)
    assert count.runs >= N


@pytest.mark.needs("usdt")
def test_a_usdt_probe_is_turned_on_by_its_semaphore(count: Counter, say: Path) -> None:
    target = resolve(Probe.parse(f"usdt:{say}:lab:step"))
    assert isinstance(target, UserProbe)
    assert all(site.semaphore for site in target.sites)
    program = count.program(ProgType.KPROBE)
    assert runs_while_attached(count, program, target, lambda: spoken(say)) == N


@pytest.mark.needs("uprobe")
def test_the_programs_own_sites_and_cookies_go_first(count: Counter, say: Path) -> None:
    target = resolve(Probe.parse(f"uprobe:{say}:double_it"))
    assert isinstance(target, UserProbe)
    sites = tuple(replace(site, cookie=1000) for site in target.sites)
    program = replace(count.program(ProgType.KPROBE, cookie=True), sites=sites)
    nowhere = UserProbe((UserSite("/nowhere", 0),))
    assert runs_while_attached(count, program, nowhere, lambda: spoken(say)) == 1000 * N


@pytest.mark.needs("perf_event")
@pytest.mark.parametrize("probe", ["profile:hz:199", "profile:ms:5"])
def test_sampling_runs_on_every_cpu(count: Counter, probe: str) -> None:
    target = resolve(Probe.parse(probe))
    fds = attach(count.program(ProgType.PERF_EVENT), target)
    try:
        assert len(fds) == len(online_cpus())
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
    finally:
        close_all(fds)
    runs = count.runs
    assert runs > 3
    time.sleep(0.05)
    assert count.runs == runs


@pytest.mark.needs("tracepoint")
def test_without_perf_links_the_event_itself_holds_the_program(
    count: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 5.15 the kernel answers BPF_LINK_CREATE for a perf event with EINVAL."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(perf_events, "link_create", refuse)
    target = resolve(Probe.parse("tracepoint:syscalls:sys_enter_getpgid"))
    fds = attach(count.program(ProgType.TRACEPOINT, own=True), target)
    call()
    close_all(fds)
    call()
    assert count.runs == N


class TestRefusals:
    @staticmethod
    def refused(program: LoadedProgram, target: Target) -> LabError:
        with pytest.raises(LabError) as caught:
            attach(program, target)
        return caught.value

    @pytest.mark.needs("tracepoint")
    def test_reading_behind_a_tracepoints_record(self, count: Counter) -> None:
        # r0 = *(u64 *)(context + 4096)
        code = instruction(0x79, 0, 1, offset=4096) + programs.answer(0)
        probe = "tracepoint:syscalls:sys_enter_getpgid"
        program = count.program(ProgType.TRACEPOINT, code=code, probe=probe)
        error = self.refused(program, resolve(Probe.parse(probe)))
        assert isinstance(error, AttachError)
        assert error.what == f"cannot attach count to {probe} (EACCES)"
        assert "reads behind the end of the record" in error.why
        assert "events/syscalls/sys_enter_getpgid/format" in error.hint

    @pytest.mark.needs("raw_tracepoint")
    def test_a_raw_tracepoint_that_does_not_exist(self, count: Counter) -> None:
        error = self.refused(count.program(ProgType.RAW_TRACEPOINT), RawTracepoint("no_such"))
        assert error.why == "this kernel has no raw tracepoint no_such"

    @pytest.mark.needs("raw_tracepoint")
    def test_more_arguments_than_a_raw_tracepoint_has(self, count: Counter) -> None:
        code = instruction(0x79, 0, 1, offset=8 * 11) + programs.answer(0)
        program = count.program(ProgType.RAW_TRACEPOINT, code=code)
        error = self.refused(program, RawTracepoint("task_rename"))
        assert error.why == "the program reads more arguments than there are"

    @pytest.mark.needs("uprobe")
    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("/proc/version", "programs on this file system cannot be probed"),
            ("/nowhere", "the file has gone"),
        ],
    )
    def test_files_that_cannot_be_probed(self, count: Counter, path: str, why: str) -> None:
        error = self.refused(count.program(ProgType.KPROBE), UserProbe((UserSite(path, 0),)))
        assert why in error.why

    @pytest.mark.needs("uprobe")
    def test_of_two_sites_the_good_one_is_let_go_when_the_other_fails(
        self, count: Counter, say: Path
    ) -> None:
        target = resolve(Probe.parse(f"uprobe:{say}:double_it"))
        assert isinstance(target, UserProbe)
        program = count.program(ProgType.KPROBE)
        links, descriptors = kernel_objects.ids("link"), kernel_objects.descriptors()
        self.refused(program, UserProbe((*target.sites, UserSite("/nowhere", 0))))
        assert kernel_objects.ids("link") == links
        assert kernel_objects.descriptors() == descriptors

    @pytest.mark.needs("perf_event")
    def test_a_rate_beyond_the_kernels_limit(self, count: Counter) -> None:
        error = self.refused(count.program(ProgType.PERF_EVENT), Sampling(100_000_000, None))
        assert isinstance(error, AttachError)
        assert error.what.endswith("the clock (EINVAL)")

    @pytest.mark.needs("kprobe")
    def test_not_at_an_instruction(self, count: Counter) -> None:
        function = system_calls.function_of("getpgid")
        error = self.refused(count.program(ProgType.KPROBE), KernelFunction(function, 1))
        assert "no instruction begins 0x1 bytes behind" in error.why

    @pytest.mark.needs("kprobe")
    def test_a_function_that_may_not_be_probed(self, count: Counter) -> None:
        error = self.refused(count.program(ProgType.KPROBE), KernelFunction("kprobe_dispatcher"))
        assert "its own probing may run through kprobe_dispatcher" in error.why

    @pytest.mark.needs("kprobe")
    def test_a_function_that_does_not_exist(self, count: Counter) -> None:
        error = self.refused(count.program(ProgType.KPROBE), KernelFunction("no_such"))
        assert error.why == "this kernel has no function no_such"

    @pytest.mark.needs("tracepoint", "uprobe")
    @pytest.mark.parametrize(
        ("kind", "probe", "missing"),
        [
            (ProgType.TRACEPOINT, "tracepoint:task:task_rename", "CAP_BPF and CAP_PERFMON"),
            (ProgType.KPROBE, "uprobe:libc:printf", "CAP_SYS_ADMIN"),
        ],
    )
    def test_a_process_without_rights(self, count: Counter, kind: ProgType, probe: str, missing: str) -> None:
        """The program was loaded by one who may; attaching is refused all the same."""
        program = count.program(kind, probe=probe)
        target = resolve(Probe.parse(probe))

        def try_it() -> str:
            try:
                attach(program, target)
            except MissingPrivilege as error:
                return str(error)
            return "it was allowed"

        answer = as_nobody(try_it)
        assert f"may not attach count to {probe}" in answer
        assert f"lacks {missing}" in answer


def resolves(probe: str) -> bool:
    """Whether there is such a probe."""
    try:
        resolve(Probe.parse(probe))
    except AttachError:
        return False
    return True


def spoken(say: Path) -> None:
    """Run the program to put user probes on, for N lines."""
    subprocess.run([str(say), str(N)], stdout=subprocess.DEVNULL, check=True)
