"""The libbpf backend on the running kernel: what loads, what is counted, and what is handed over."""

from __future__ import annotations

import struct
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from support import targets
from support.programs import run, the_map

from ebpf_lab.attach import attach
from ebpf_lab.backends.common import BuildOptions
from ebpf_lab.backends.libbpf import build
from ebpf_lab.backends.loaded import Loaded, close_all
from ebpf_lab.host.syscalls import ProgType
from ebpf_lab.host.targets import resolve
from ebpf_lab.readers.counts import read_losses
from ebpf_lab.readers.maps import read_map
from ebpf_lab.readers.ringbuf import RingBuffer
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.ctype import Array, Int, Pointer, Struct

pytestmark = pytest.mark.needs("libbpf", "clang", "btf")


def load(
    text: str,
    *,
    attach: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    events: Mapping[str, str] | None = None,
    options: BuildOptions | None = None,
) -> Loaded:
    spec = analyse(text, attach=attach, settings=settings, events=events)
    return build(spec, options or BuildOptions()).load({})


EMPTY = "int program(void *ctx) { return 0; }\n"


@pytest.mark.parametrize(
    ("section", "program_type"),
    [
        ("tracepoint/sched/sched_process_exec", ProgType.TRACEPOINT),
        ("tp/sched/sched_process_exec", ProgType.TRACEPOINT),
        ("raw_tp/sys_enter", ProgType.RAW_TRACEPOINT),
        ("raw_tracepoint/sys_enter", ProgType.RAW_TRACEPOINT),
        ("tp_btf/sys_enter", ProgType.TRACING),
        ("kprobe/vfs_open", ProgType.KPROBE),
        ("kretprobe/vfs_open", ProgType.KPROBE),
        ("ksyscall/unlinkat", ProgType.KPROBE),
        ("uprobe/libc:printf", ProgType.KPROBE),
        ("uprobe.s/libc:printf", ProgType.KPROBE),
        ("uretprobe/libc:printf", ProgType.KPROBE),
    ],
)
def test_each_kind_of_section_loads(section: str, program_type: ProgType) -> None:
    loaded = load(f'SEC("{section}") {EMPTY}')
    try:
        assert [each.program_type for each in loaded.programs] == [program_type]
        assert loaded.programs[0].line == 1
    finally:
        loaded.close()
    assert loaded.fds == []


@pytest.mark.parametrize(
    ("section", "probe", "program_type"),
    [
        ("tp", "tracepoint:sched:sched_process_exec", ProgType.TRACEPOINT),
        ("perf_event", "profile:hz:49", ProgType.PERF_EVENT),
        ("raw_tp/sys_enter", "rawtracepoint:sys_exit", ProgType.RAW_TRACEPOINT),
        ("tp_btf", "tp_btf:sys_exit", ProgType.TRACING),
        ("uprobe", "uprobe:libc:printf", ProgType.KPROBE),
        ("xdp", "xdp:lo", ProgType.XDP),
        ("xdp.frags", "xdp:lo", ProgType.XDP),
        ("my_own_name", "kprobe:vfs_open", ProgType.KPROBE),
        ("my_own_name", "tp_btf:sys_exit", ProgType.TRACING),
    ],
)
def test_attach_decides_over_the_section(section: str, probe: str, program_type: ProgType) -> None:
    loaded = load(f'SEC("{section}") {EMPTY}', attach={"program": probe})
    assert [each.program_type for each in loaded.programs] == [program_type]
    loaded.close()


@pytest.mark.parametrize(
    ("section", "probe"), [("uprobe.s/libc:printf", None), ("uprobe.s", "uprobe:libc:printf")]
)
def test_a_sleepable_program_may_call_a_sleepable_helper(section: str, probe: str | None) -> None:
    text = f"""
    SEC("{section}") int program(struct pt_regs *ctx)
    {{
        char text[16] = {{}};
        bpf_copy_from_user(text, sizeof(text), (void *)PT_REGS_PARM1(ctx));
        return 0;
    }}
    """
    load(text, attach={"program": probe} if probe else None).close()


@pytest.mark.needs("fentry")
@pytest.mark.parametrize("section", ["fentry/vfs_open", "fexit/vfs_open", "fentry"])
def test_fentry_loads(section: str) -> None:
    probe = None if "/" in section else {"program": "fentry:vfs_open"}
    loaded = load(f'SEC("{section}") {EMPTY}', attach=probe)
    assert [each.program_type for each in loaded.programs] == [ProgType.TRACING]
    loaded.close()


@pytest.mark.needs("lsm")
def test_lsm_loads() -> None:
    loaded = load('SEC("lsm/file_open") int BPF_PROG(program, struct file *file) { return 0; }')
    assert [each.program_type for each in loaded.programs] == [ProgType.LSM]
    loaded.close()


FLOOD = """
struct event { u64 bytes[8]; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } first SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } second SEC(".maps");

static int through_a_parameter(void *ring, struct event *event)
{
    return bpf_ringbuf_output(ring, event, sizeof(*event), 0);
}

SEC("raw_tp/sys_enter") int produce(u64 *ctx)
{
    int lost = 0;
    for (int i = 0; i < 500; i++) {
        struct event *event = bpf_ringbuf_reserve(&first, sizeof(*event), 0);
        if (event)
            bpf_ringbuf_submit(event, 0);
        else
            lost++;
    }
    return lost;
}

SEC("raw_tp/sys_enter") int produce_copies(u64 *ctx)
{
    struct event event = {};
    int lost = 0;
    for (int i = 0; i < 300; i++)
        lost += bpf_ringbuf_output(&second, &event, sizeof(event), 0) != 0;
    return lost;
}

SEC("raw_tp/sys_enter") int produce_by_parameter(u64 *ctx)
{
    struct event event = {};
    return through_a_parameter(&first, &event) != 0;
}
"""


@pytest.mark.needs("ringbuf")
@pytest.mark.parametrize(
    "includes",
    [
        "",
        "#include <bpf/bpf_helpers.h>\n",
        '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_tracing.h>\n',
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\ntypedef __u64 u64;\n",
    ],
    ids=["none", "helpers", "vmlinux", "uapi"],
)
def test_every_failed_reserve_is_counted(includes: str) -> None:
    loaded = load(includes + FLOOD)
    try:
        assert read_losses(loaded.losses) == {"first": 0, "second": 0}
        # 4096 bytes hold 56 records of 8 + 64.
        assert run(loaded, 0) == 500 - 56
        assert read_losses(loaded.losses) == {"first": 444, "second": 0}
        assert run(loaded, 0, function="produce_copies") == 300 - 56
        assert read_losses(loaded.losses) == {"first": 444, "second": 244}
        assert run(loaded, 0, function="produce_by_parameter") == 1
        assert read_losses(loaded.losses) == {"first": 445, "second": 244}
        assert loaded.maps == ()
    finally:
        loaded.close()


SETTINGS = """
enum mode { QUIET, LOUD = 7 };
const volatile int wanted_pid = -1;
const volatile u8 small;
const volatile bool on;
const volatile enum mode mode;
const volatile char name[8] = "unset";
static volatile const u64 large = 5;
u32 counter;
const int fixed = 3;
const volatile struct { int x; } pair;

SEC("raw_tp/sys_enter") int get_pid(u64 *ctx) { return wanted_pid; }
SEC("raw_tp/sys_enter") int get_small(u64 *ctx) { return small; }
SEC("raw_tp/sys_enter") int get_on(u64 *ctx) { return on; }
SEC("raw_tp/sys_enter") int get_mode(u64 *ctx) { return mode + 1; }
SEC("raw_tp/sys_enter") int get_name(u64 *ctx) { return name[0] << 8 | name[4]; }
SEC("raw_tp/sys_enter") int get_large(u64 *ctx) { return large >> 32; }
SEC("raw_tp/sys_enter") int get_counter(u64 *ctx) { return counter++; }
SEC("raw_tp/sys_enter") int get_pair(u64 *ctx) { return pair.x; }
SEC("raw_tp/sys_enter") int get_fixed(u64 *ctx) { return *(volatile int *)&fixed; }
"""


def test_settings_of_every_type() -> None:
    values = {
        "wanted_pid": "-42",
        "small": "0xff",
        "on": "true",
        "mode": "LOUD",
        "name": "abcde",
        "large": str(9 << 32),
        "counter": "1000",
    }
    loaded = load(SETTINGS, settings=values)
    try:
        results = {
            name: run(loaded, 0, function=f"get_{name}") for name in ("small", "on", "mode", "name", "large")
        }
        assert results == {"small": 255, "on": 1, "mode": 8, "name": ord("a") << 8 | ord("e"), "large": 9}
        assert struct.unpack("<i", struct.pack("<I", run(loaded, 0, function="get_pid"))) == (-42,)
        assert [run(loaded, 0, function="get_counter") for _ in range(2)] == [1000, 1001]
    finally:
        loaded.close()
    loaded = load(SETTINGS, settings={"name": "", "mode": "3", "on": "0"})
    assert [run(loaded, 0, function=f"get_{name}") for name in ("name", "mode", "on")] == [0, 4, 0]
    assert loaded.cached
    loaded.close()


TYPES = """
typedef struct { u32 pid; char comm[16]; } record_t;
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } local SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } defined SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } plain SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } hidden SEC(".maps");
struct event { u64 ts; void *address; };

SEC("raw_tp/sys_enter") int produce(u64 *ctx)
{
    struct inner { int x; } inner = { 1 };
    struct event *event = bpf_ringbuf_reserve(&local, sizeof(struct event), 0);
    if (event) {
        event->ts = 1;
        bpf_ringbuf_submit(event, 0);
    }
    record_t record = {};
    bpf_ringbuf_output(&defined, &record, sizeof(record), 0);
    u64 number = 5;
    bpf_ringbuf_output(&plain, &number, sizeof(number), 0);
    bpf_ringbuf_output(&hidden, &inner, sizeof(inner), 0);
    return 0;
}
"""


@pytest.mark.needs("ringbuf")
def test_event_types_that_only_a_function_uses() -> None:
    loaded = load(TYPES)
    loaded.close()
    streams = {stream.name: stream for stream in loaded.streams}
    (event,) = streams["local"].types
    assert isinstance(event, Struct)
    assert event.name == "event"
    assert [(member.name, member.bit_offset) for member in event.members] == [("ts", 0), ("address", 64)]
    assert isinstance(event.members[1].type, Pointer)
    (record,) = streams["defined"].types
    assert isinstance(record, Struct)
    assert record.members[1].type == Array(Int("char", 1, signed=True, char=True), 16)
    assert streams["plain"].types == (Int("unsigned long long", 8, signed=False),)
    assert streams["hidden"].types == ()
    assert "inner" in streams["hidden"].why


@pytest.mark.needs("ringbuf")
def test_an_event_type_of_the_kernel() -> None:
    loaded = load(TYPES, events={"local": "list_head"})
    loaded.close()
    (made,) = loaded.streams[0].types
    assert isinstance(made, Struct)
    assert [member.name for member in made.members] == ["next", "prev"]


def test_an_unknown_event_type_is_said_to_be_unknown() -> None:
    loaded = load(TYPES, events={"local": "no_such_type"})
    loaded.close()
    assert loaded.streams[0].types == ()
    assert "no_such_type" in loaded.streams[0].why


MAPS = """
struct who { u32 pid; char comm[16]; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64);
         __type(key, struct who); __type(value, u64); } by_key SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4);
         __uint(key_size, 4); __uint(value_size, 16); } sizes_only SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
         __uint(key_size, 4); __uint(value_size, 4); } out SEC(".maps");
u64 hits;
int level = 3;
static u64 own;

SEC("raw_tp/sys_enter") int produce(u64 *ctx)
{
    struct who key = { 7, "seven" };
    u64 one = 1;
    bpf_map_update_elem(&by_key, &key, &one, BPF_ANY);
    bpf_map_delete_elem(&sizes_only, &one);
    bpf_perf_event_output(ctx, &out, BPF_F_CURRENT_CPU, &one, sizeof(one));
    static int inside;
    inside++;
    own += 2;
    return ++hits + level;
}
"""


def test_maps_and_globals_have_their_types() -> None:
    loaded = load(MAPS)
    try:
        assert [run(loaded, 0) for _ in range(3)] == [4, 5, 6]
        # Maps as declared, then the sections of global variables; constants and streams are not maps to read.
        assert [found.name for found in loaded.maps] == ["by_key", "sizes_only", ".data", ".bss"]
        by_key = the_map(loaded, "by_key")
        assert isinstance(by_key.key, Struct)
        assert by_key.value == Int("unsigned long long", 8, signed=False)
        assert (by_key.type, by_key.key_size, by_key.value_size, by_key.max_entries) == (1, 20, 8, 64)
        sizes_only = the_map(loaded, "sizes_only")
        assert (sizes_only.key, sizes_only.value, sizes_only.value_size) == (None, None, 16)
        globals_map = the_map(loaded, ".bss")
        assert isinstance(globals_map.value, Struct)
        offsets = {member.name: member.bit_offset // 8 for member in globals_map.value.members}
        assert set(offsets) == {"hits", "own", "produce.inside"}
        content = read_map(globals_map).values.tobytes()
        assert struct.unpack_from("<Q", content, offsets["hits"]) == (3,)
        assert struct.unpack_from("<Q", content, offsets["own"]) == (6,)
        assert [stream.kind for stream in loaded.streams] == ["perfbuf"]
        assert loaded.streams[0].map is not None
    finally:
        loaded.close()


@pytest.fixture(scope="session")
def with_usdt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return targets.build("usdt", tmp_path_factory.mktemp("usdt"))


USDT = """
struct event { int number; long square; int sign; int arguments; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } events SEC(".maps");
SEC("usdt/%s:lab:step") int BPF_USDT(on_step, int number, long square, int sign)
{
    struct event event = { number, square, sign, bpf_usdt_arg_cnt(ctx) };
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}
SEC("usdt") int BPF_USDT(on_rare, int number)
{
    struct event event = { number, 0, 0, bpf_usdt_arg_cnt(ctx) };
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}
"""


@pytest.mark.needs("usdt", "ringbuf")
def test_usdt_arguments_in_registers_memory_and_constants(with_usdt: Path) -> None:
    text = USDT % with_usdt
    spec = analyse(text, attach={"on_rare": f"usdt:{with_usdt}:lab:rare"})
    resolved = {each.function: resolve(each.probe) for each in spec.programs if each.probe}
    loaded = build(spec, BuildOptions()).load(resolved)
    held: list[int] = []
    reader = None
    try:
        step, rare = loaded.programs
        assert len(step.sites) == 2
        assert [site.semaphore > 0 for site in rare.sites] == [True]
        assert len({site.cookie for site in step.sites + rare.sites}) == 3
        for program in loaded.programs:
            held += attach(program, resolved[program.function])
        stream = loaded.streams[0].map
        assert stream is not None
        reader = RingBuffer(stream.fd, stream.max_entries)
        subprocess.run([with_usdt, "3"], check=True)
        records = [row.tobytes() for batch in reader.drain(1 << 20) for row in batch.data]
        events = [struct.unpack("<i4xqii", record) for record in records]
        expected = []
        for number in range(3):
            square = number * number << 32
            expected += [(-number, square, -7, 3), (-number, square, 7, 3), (-number, 0, 0, 1)]
        assert events == expected
    finally:
        if reader:
            reader.close()
        loaded.close()
        close_all(held)


def test_the_second_build_comes_from_the_cache(tmp_path: Path) -> None:
    text = f'SEC("raw_tp/sys_enter") {EMPTY} // {tmp_path}'
    for options, cached in ((True, False), (True, True), (False, False)):
        loaded = load(text, options=BuildOptions(cache=options))
        assert loaded.cached is cached
        loaded.close()


def test_a_cached_cell_is_loaded_fast() -> None:
    text = Path(__file__, "../../../bpf_snippets/open_monitor.libbpf.c").resolve().read_text()
    load(text).close()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        load(text).close()
        times.append(time.perf_counter() - start)
    # 20 ms here; in an emulated machine everything is some 20 times slower.
    assert min(times) < 1.2


def test_a_header_of_the_learners_own_is_found_and_never_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = '#include "mine.h"\nSEC("raw_tp/sys_enter") int produce(void *ctx) { return MINE; }'
    for value in (17, 18):
        Path("mine.h").write_text(f"#define MINE {value}\n")
        loaded = load(text)
        assert run(loaded, 0) == value
        loaded.close()


def test_the_verifiers_log_on_request() -> None:
    text = f'SEC("raw_tp/sys_enter") {EMPTY}'
    loaded = load(text, options=BuildOptions(log_level=1))
    loaded.close()
    assert "processed 2 insns" in loaded.logs["program"]
    loaded = load(text)
    loaded.close()
    assert loaded.logs == {}


def test_two_threads_load_at_once() -> None:
    text = f'SEC("raw_tp/sys_enter") {EMPTY}'
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                load(text).close()
        except BaseException as error:  # noqa: BLE001 (shown by the assertion below)
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
