"""What programs became: bytecode against bpftool, native code against objdump, for snippets of all kinds."""

from __future__ import annotations

import errno
import platform
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.backends import BCC, LIBBPF, each_backend
from support.texts import LIBBPF_HEAD, on_seek, seek_stream

import ebpf_lab
from ebpf_lab import inspection, session
from ebpf_lab.backends import libbpf_object
from ebpf_lab.backends.bcc_process import BccProcess, LoadAnswer
from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.backends.loaded import Loaded
from ebpf_lab.host import kallsyms
from ebpf_lab.inside import bytecode, native
from ebpf_lab.inside.names import Names
from ebpf_lab.inside.program import ProgramCode
from ebpf_lab.readers.program_code import object_id
from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.snippets import Snippet
from ebpf_lab.stats import Stats

_DUMPED = re.compile(r" *(\d+): \([0-9a-f]{2}\) (.*)\n +([0-9a-f ]+)")
_MAP = re.compile(r"map\[id:(\d+)\](?:\[0\])?")
_OBJDUMP = re.compile(r"^ *([0-9a-f]+):\t(?:(?:[0-9a-f]{2} )+|[0-9a-f]{8} ?) *\t(\S+)(.*)", re.MULTILINE)
_MACHINES = {"x86_64": ("i386:x86-64", "intel"), "aarch64": ("aarch64", "no-aliases")}
_TOOLS = {"bcc": ("bcc", "headers"), "libbpf": ("libbpf", "clang", "btf")}


_FEW = (
    *("exec_ring.bcc", "exec_ring.libbpf", "open_monitor.libbpf", "printf_probe.bcc"),
    *("syscall_trace.libbpf", "usdt_python.libbpf", "xdp_counter.libbpf"),
)
"""Snippets that differ; with --full it is all of them."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """They are loaded and attached to nothing, so that it does not matter which probes this kernel has."""
    if "snippet" in metafunc.fixturenames:
        names = snippets.names() if metafunc.config.getoption("--full") else _FEW
        marks = {name: pytest.mark.needs(*_TOOLS[name.rpartition(".")[2]]) for name in names}
        metafunc.parametrize(
            "snippet", [pytest.param(snippets.load(name), id=name, marks=marks[name]) for name in names]
        )


@contextmanager
def loaded(text: str, attach: dict[str, str] | None = None) -> Iterator[Loaded]:
    spec = analyse(text, attach=attach)
    compiled = backend_for(spec.dialect)(spec, BuildOptions())
    try:
        programs = compiled.load({})
    finally:
        compiled.close()
    try:
        yield programs
    finally:
        programs.close()


def codes(programs: Loaded) -> list[ProgramCode]:
    return [each.code for each in programs.programs if each.code is not None]


def dumped(fd: int) -> list[tuple[int, str, bytes]]:
    """Number, text and bytes of each instruction, as bpftool reads them."""
    command = ["bpftool", "prog", "dump", "xlated", "id", str(object_id(fd)), "opcodes"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [(int(at), text, bytes.fromhex(raw)) for at, text, raw in _DUMPED.findall(said)]


def as_bpftool(text: str, maps: dict[int, str]) -> str:
    """bpftool's text with names for numbers: it has the kernel's notation, and numbers of maps."""
    text = _MAP.sub(lambda found: f"map[{maps[int(found[1])]}]", text)
    text = re.sub(r"call pc[+-]\d+#bpf_prog_[0-9a-f]+_(\w+)", r"call \1", text)
    return re.sub(r"(call \w+)#-?\d+$", r"\1", text)


def test_a_snippet_is_as_bpftool_and_objdump_read_it(snippet: Snippet, tmp_path: Path) -> None:
    symbols, base = inspection._symbols(), kallsyms.names().address("__bpf_call_base")
    with loaded(snippet.text, snippet.attach) as programs:
        for program in programs.programs:
            code = program.code
            assert code is not None
            names = Names(code, symbols, base)
            made = list(bytecode.decode(code.bytecode))
            expected = dumped(program.fd)
            assert [(each.number, each.raw) for each in made] == [(at, raw) for at, _, raw in expected]
            for each, (_, text, _) in zip(made, expected, strict=True):
                ours = re.sub(r" \([\w.]+\)$", "", names.text(each))  # bpftool does not name variables
                theirs = as_bpftool(text, dict(code.maps))
                # Older bpftools do not know what the offset of an arithmetic instruction says.
                assert ours == theirs or (each.code & 7 in (4, 7) and each.offset), (ours, text)
        listing = inspection.disassembly(codes(programs))
        native = inspection.jited(codes(programs))
    of_the_text = listing[listing.file == ""].dropna(subset=["line"])
    lines = snippet.text.split("\n")
    assert [lines[number - 1].strip() for number in of_the_text.line] == [
        source.strip() for source in of_the_text.source
    ]
    assert len(of_the_text) > 0.3 * len(listing)  # usdt_python is inlined from libbpf's header
    labels = {(row.program, row.function, row.label) for row in listing.itertuples() if row.label}
    for row in listing.itertuples():
        if " goto " in row.code or row.code.startswith("goto"):
            assert (row.program, row.function, row.code.split()[-1]) in labels, row.code
    for _, function in native.groupby(["program", "function"], sort=False):
        code = b"".join(bytes.fromhex(each) for each in function.bytes)
        ours = [(row.offset, row.code.split()[0]) for row in function.itertuples()]
        assert ours == objdump(code, tmp_path / "code")


def objdump(code: bytes, image: Path) -> list[tuple[int, str]]:
    """Offset and mnemonic of each instruction, as binutils read it."""
    image.write_bytes(code)
    architecture, syntax = _MACHINES[platform.machine()]
    command = ["objdump", "-D", "-b", "binary", "-m", architecture, "-M", syntax, "-w", str(image)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # The shortest "nop" of two bytes exchanges a register with itself.
    return [
        (int(at, 16), "nop" if (mnemonic, *operands.split()) == ("xchg", "ax,ax") else mnemonic)
        for at, mnemonic, operands in _OBJDUMP.findall(said)
    ]


SUBPROGRAM = (
    LIBBPF_HEAD
    + """
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, u32); __type(value, u64); }
    turns SEC(".maps");
u64 total = 0;

__noinline int one_more(u32 turn, u64 *sum)
{
    if (sum)
        *sum += turn;
    return 0;
}

static long turned(u32 turn, u64 *sum)
{
    one_more(turn, sum);
    return turn > 17;
}

SEC("raw_tp/sys_enter")
int produce(void *ctx)
{
    u32 zero = 0;
    u64 *value = bpf_map_lookup_elem(&turns, &zero), sum = 0;
    if (value)
        *value += 1;
    bpf_loop(23, turned, &sum, 0);
    total += sum;
    return 0;
}
"""
)


@LIBBPF
def test_functions_maps_and_variables_have_their_names() -> None:
    with loaded(SUBPROGRAM) as programs:
        listing = inspection.disassembly(codes(programs))
        native = inspection.jited(codes(programs))
    assert list(dict.fromkeys(listing.function)) == list(dict.fromkeys(native.function))
    assert set(listing.function) == {"produce", "turned", "one_more"}
    assert set(listing.program) == {"produce"}
    written = set(listing.code)
    assert {"r1 = map[turns]", "call one_more", "exit"} <= written
    assert any(code.endswith("func[turned]") for code in written)
    assert any(code.endswith(" = map[.bss]+0 (total)") for code in written)
    wide = listing[listing.code.str.contains(r"= (?:map|func)\[")]
    assert set(wide.bytes.str.len()) == {16 * 3 - 1}
    assert set(listing.bytes[~listing.index.isin(wide.index)].str.len()) == {8 * 3 - 1}
    (call,) = listing.index[listing.code == "call one_more"]
    assert SUBPROGRAM.split("\n")[listing.line[call] - 1] == "    one_more(turn, sum);"
    assert any("one_more" in code.split() for code in native.code)


@each_backend
def test_a_trace_shows_its_code_while_it_runs_and_when_it_has_ended(backend: str) -> None:
    trace = ebpf_lab.trace(seek_stream(backend, "ringbuf"))
    with pytest.raises(ebpf_lab.UsageProblem, match="no results"):
        trace.disassembly()
    with trace:
        running = trace.disassembly()
        helpers = {code for code in running.code if code.startswith("call ")}
        assert {"call bpf_ringbuf_reserve", "call bpf_ringbuf_submit", "call bpf_get_current_comm"} <= helpers
        # Behind it some kernels put a trap.
        assert any("ret" in code for code in trace.jited().code.iloc[-2:])
    assert trace.disassembly().equals(running)
    assert trace.jited().line.dropna().isin(running.line).all()


@LIBBPF
def test_a_trace_that_failed_has_no_code() -> None:
    trace = ebpf_lab.trace(on_seek("libbpf", "return *(int *)ctx->args[0];"))
    with pytest.raises(ebpf_lab.VerifierRejected):
        trace.start()
    with pytest.raises(ebpf_lab.VerifierRejected):
        trace.disassembly()


def test_native_code_of_the_other_architecture() -> None:
    # What the arm64 compiler makes of a call of a helper: the address in pieces, and a branch through them.
    words = (0xD503201F, 0x92800FEA, 0xF2B0020A, 0xF2D0000A, 0xD63F0140, 0xB4000040, 0xD503201F, 0xD65F03C0)
    code = b"".join(word.to_bytes(4, "little") for word in words)
    made = list(native.decode(code, 0xFFFF800080000000, "aarch64"))
    assert [each.text.split()[0] for each in made] == [
        "nop",
        "mov",
        "movk",
        "movk",
        "blr",
        "cbz",
        "nop",
        "ret",
    ]
    assert made[4].is_call
    assert made[4].target == 0xFFFF_8000_8010_FF80
    assert made[5].target == made[7].address
    with pytest.raises(ebpf_lab.MissingFeature, match="riscv64"):
        list(native.decode(code, 0, "riscv64"))


@each_backend
def test_the_verifiers_walk_beside_the_c(backend: str) -> None:
    text = seek_stream(backend, "ringbuf")
    trace = ebpf_lab.trace(text)
    walk = trace.verifier_log()
    lines = text.split("\n")
    placed = walk.dropna(subset=["line"])
    assert len(placed) > 0.8 * len(walk)
    assert [lines[number - 1].strip() for number in placed.line] == [each.strip() for each in placed.source]
    assert list(walk.step) == list(range(len(walk)))
    (reserved,) = walk.index[walk.code.str.contains("call bpf_ringbuf_reserve")]
    assert "mem_or_null" in walk.registers[reserved]["R0"]
    assert "R2" not in walk.registers[reserved]
    assert "reserve" in walk.source[reserved]
    # One path found it to be NULL, another one filled it in.
    ways = [set(path.code) for _, path in walk[walk.step > reserved].groupby("path")]
    assert len(ways) > 1
    assert any(any("bpf_ringbuf_submit" in code for code in way) for way in ways)
    assert "processed " in walk.log
    with trace:
        assert list(trace.verifier_log().code.str.replace(r"0x\w{12,}", "", regex=True)) == list(
            walk.code.str.replace(r"0x\w{12,}", "", regex=True)
        )


@LIBBPF
def test_a_walk_of_many_megabytes_is_told_from_its_end() -> None:
    walk = session.prepare(snippets.load("syscall_trace.libbpf").text, seconds=1).verifier_log()
    assert len(walk.log) > 1 << 22
    assert len(walk) > 1000
    assert ", the last of " in repr(walk)


@LIBBPF
def test_a_walk_that_is_refused_or_asked_for_wrongly() -> None:
    trace = ebpf_lab.trace(on_seek("libbpf", "return *(int *)ctx->args[0];"))
    with pytest.raises(ebpf_lab.VerifierRejected) as caught:
        trace.verifier_log()
    assert caught.value.source == trace.spec.text
    with pytest.raises(ebpf_lab.UsageProblem, match="level=3"):
        trace.verifier_log(3)


@LIBBPF
def test_a_log_that_does_not_fit_is_no_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libbpf_object, "LONG_LOG_SIZE", 1000)
    with pytest.raises(ebpf_lab.UsageProblem, match="longer than 64 MiB"):
        ebpf_lab.trace(seek_stream("libbpf", "ringbuf")).verifier_log()


@BCC
def test_a_log_that_does_not_fit_into_bccs_buffer_either(monkeypatch: pytest.MonkeyPatch) -> None:
    full = LoadAnswer(-1, errno.ENOSPC, "0: (95) exit")
    monkeypatch.setattr(BccProcess, "load", lambda *arguments: full)
    with pytest.raises(ebpf_lab.UsageProblem, match="longer than 64 MiB"):
        ebpf_lab.trace(seek_stream("bcc", "ringbuf")).verifier_log()


@each_backend
def test_the_inside_view_has_all_of_a_program(backend: str, tmp_path: Path) -> None:
    trace = ebpf_lab.trace(seek_stream(backend, "ringbuf"))
    with pytest.raises(ebpf_lab.UsageProblem, match="no results"):
        trace.inside()
    with trace:
        pass
    view, listing, walk = trace.inside(), trace.disassembly(), trace.verifier_log()
    assert view.notes == ()
    (program,) = view.programs
    made = [each for part in program.parts for each in part.instructions]
    assert [each.text for each in made] == list(listing.code)
    natives = [each for group in program.groups for each in group.native]
    assert [each.text for each in natives] == list(trace.jited().code)
    blocks = [each for part in program.parts for block in part.blocks for each in block.instructions]
    assert [each.number for each in blocks] == list(listing.instruction)
    # All that the verifier saw became something that runs.
    steps = program.measures[0]
    assert steps.total == program.known.steps == len(walk)
    assert set(listing.line[listing.file == ""].dropna()) <= {line for _, line in steps.of}
    (reserved,) = (each for each in made if each.text == "call bpf_ringbuf_reserve")
    told = program.known.origins[reserved.instruction.number].told
    assert re.search(r"^\* R0=ringbuf_mem_or_null|^\* R0=\w*mem_or_null", told, re.MULTILINE)
    shown = view._repr_html_()
    assert all(f"data-i='{each.number}'" in shown for each in blocks)
    assert view.save(tmp_path / "view.html").read_text("utf-8").count("<svg") == len(program.parts)


@LIBBPF
def test_the_inside_view_of_functions_that_are_called() -> None:
    with loaded(SUBPROGRAM) as programs:
        found = codes(programs)
    view = inspection.inside(found, analyse(SUBPROGRAM), Stats(), {})
    (program,) = view.programs
    assert program.parts[0].function.name == "produce"
    assert {part.function.name for part in program.parts} == {"produce", "turned", "one_more"}
    for part in program.parts:
        assert all(edge.to < len(part.blocks) for block in part.blocks for edge in block.edges)
        assert part.groups[0].native
    assert "called by produce" in repr(view)


@LIBBPF
def test_the_inside_view_without_the_verifiers_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libbpf_object, "LONG_LOG_SIZE", 1000)
    with ebpf_lab.trace(seek_stream("libbpf", "ringbuf")) as trace:
        assert "longer than 64 MiB" in trace.inside().notes[0]
        assert trace.inside(states=False).notes == ()


WORKING = (
    LIBBPF_HEAD
    + """
u64 cheap = 0;

static long draw(u32 turn, u32 *sum)
{
    *sum += bpf_get_prandom_u32();
    return 0;
}

SEC("tracepoint/syscalls/sys_enter_lseek")
int work(void *ctx)
{
    u32 sum = 0;
    cheap += 1;
    bpf_loop(2000, draw, &sum, 0);
    return sum == 23;
}
"""
)


@LIBBPF
def test_where_the_time_goes(seek: Path) -> None:
    trace = ebpf_lab.trace(WORKING, command=[str(seek), "700"], hot=True)
    view = trace.inside(states=False)
    samples, *others = view.programs[0].measures
    assert (samples.name, [each.name for each in others]) == ("samples", ["instructions"])
    lines = WORKING.split("\n")
    hottest = max(samples.of, key=samples.of.__getitem__)
    assert hottest[0] == ""
    assert "bpf_get_prandom_u32" in lines[hottest[1] - 1]
    # What a helper takes is the line's that calls it.
    assert samples.of[hottest] > 0.5 * samples.total
    assert samples.total > 23
    assert "samples of" not in repr(view)
    assert f">{samples.of[hottest]:>5}<" in view._repr_html_()


@LIBBPF
def test_programs_that_ran_too_briefly_have_no_hot_lines() -> None:
    # A call that nobody makes: of others, some other process may make thousands just then.
    with session.prepare(WORKING.replace("sys_enter_lseek", "sys_enter_swapoff"), hot=True) as trace:
        pass
    view = trace.inside(states=False)
    assert "which ran too briefly" in view.notes[0]
    assert view.programs[0].measures[0].name == "instructions"


@LIBBPF
def test_a_recording_shows_the_same(seek: Path, tmp_path: Path) -> None:
    text, command = seek_stream("libbpf", "ringbuf"), [str(seek), "23"]
    trace = ebpf_lab.trace(text, command=command, record=tmp_path / "seeks")
    assert repr(ebpf_lab.replay(tmp_path / "seeks").inside()) == repr(trace.inside())
    again = session.prepare(text, command=command, replay=tmp_path / "seeks", hot=True).run()
    assert again.inside().notes == ("without run cost: it is not recorded",)
