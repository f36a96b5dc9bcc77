"""Tab and Shift-Tab in ``%%bpf`` cells, with a kernel whose types are those of a small sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpf_lab.host import kernel_names, records, tracefs
from ebpf_lab.notebook import completion, tooltip
from ebpf_lab.notebook.completion import places
from ebpf_lab.notebook.completion.cell import Cell
from ebpf_lab.notebook.completion.place import Spot
from ebpf_lab.source.btf import Btf
from ebpf_lab.source.options import OPTIONS
from ebpf_lab.source.spec import Dialect

KERNEL = Path(__file__).parent / "data/kernel_sample.btf"
VERBS = ("status", "stop", "show", "help", "probes")

LIBBPF = """%%bpf -n 3
struct event { u64 ts; char comm[16]; struct { int inner; }; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, u32); __type(value, struct event); } kept SEC(".maps");
const volatile u32 wanted = 7;
#define LIMIT 3

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempt, struct task_struct *prev, struct task_struct *next)
{
    struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e)
        return 0;
    """
BCC = """%%bpf
BPF_HASH(counts, u32, u64);
BPF_PERF_OUTPUT(sent);
TRACEPOINT_PROBE(sched, sched_switch)
{
    """
REST = "\n    return 0;\n}\n"


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sample's types and a handful of places, in the stead of those of this machine."""
    sample = Btf.parse(KERNEL.read_bytes())
    lists = {
        "functions": ["vfs_open", "vfs_read", "do_exit", "bpf_lsm_file_open"],
        "raw_tracepoints": ["sys_enter", "sys_exit", "sched_switch"],
        "calls": ["openat", "openat2", "close"],
        "hooks": ["file_open", "file_free"],
    }
    _forget()
    monkeypatch.setattr(kernel_names, "kernel", lambda: sample)
    monkeypatch.setattr(records, "kernel", lambda: sample)
    monkeypatch.setattr(places, "_listed", lambda what, _: kernel_names.Sorted(lists[what]))
    events = {"sched": ["sched_switch", "sched_wakeup"], "syscalls": ["sys_enter_openat", "sys_exit_openat"]}
    monkeypatch.setattr(places, "_tracepoints", lambda _: events)
    monkeypatch.setattr(tracefs, "fields", _fields)
    yield
    _forget()


def _forget() -> None:
    for each in (
        *(
            kernel_names.members,
            kernel_names.parameters,
            kernel_names.signature,
            kernel_names.kfuncs,
            kernel_names.constants,
        ),
        *(kernel_names._types, kernel_names._constants, records.record, records._by_fields),
    ):
        each.cache_clear()


def _fields(group: str, name: str) -> list[tuple[str, str]]:
    if name == "sched_switch":
        return [("char[16]", "prev_comm"), ("pid_t", "prev_pid"), ("__data_loc char[]", "note")]
    return []


def complete(before: str, after: str = "") -> list[str]:
    """The names that are offered between two parts of a cell."""
    found = completion.find(
        before + after, len(before), VERBS, lambda: ["seen"], lambda: {"opens": 1, "_": 2}
    )
    return [] if found is None else [name for name, _ in found.names]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("prev->", ["comm", "flags_a", "flags_b", "mm", "pid", "real_parent", "se"]),
        ("prev->real", ["real_parent"]),
        ("prev->mm->", ["context", "pgd", "start_code", "start_pgd", "type"]),
        ("prev->real_parent->mm->pg", ["pgd"]),
        ("prev->se.", ["vruntime", "weight"]),
        ("u64 x = bpf_get_current_pid_tgid() + prev->real_parent->se.v", ["vruntime"]),
        ("if (prev->mm->context.", ["ctx_id"]),
        ("for (int i = 0; i < next->p", ["pid"]),
        ("bpf_probe_read_kernel(&e->comm, sizeof(e->comm), &next->co", ["comm"]),
        ("((struct mm_struct *)next)->start_c", ["start_code"]),
        ("bpf_get_current_task_btf()->p", ["pid"]),
        ("struct task_struct *mine = (void *)bpf_get_current_task(); mine->p", ["pid"]),
        ("prev[0].p", ["pid"]),
        ("(*prev).p", ["pid"]),
        ("e->", ["comm", "inner", "ts"]),
        ("struct event *old = bpf_map_lookup_elem(&kept, &wanted); old->t", ["ts"]),
        ("u32 x = BPF_CORE_READ(prev, ", ["comm", "flags_a", "flags_b", "mm", "pid", "real_parent", "se"]),
        ("u32 x = BPF_CORE_READ(prev, mm, pg", ["pgd"]),
        ("u32 x = BPF_CORE_READ(prev, real_parent, se.v", ["vruntime"]),
        ("u32 x; BPF_CORE_READ_INTO(&x, prev, mm, start_c", ["start_code"]),
        ("unknown->", []),
    ],
)
def test_members_of_what_a_variable_is_declared_to_be(typed: str, names: list[str]) -> None:
    assert complete(LIBBPF + typed, REST) == names


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("bpf_get_cur", "bpf_get_current_ancestor_cgroup_id"),
        ("bpf_get_current_pid", "bpf_get_current_pid_tgid"),
        ("pid_tgid", "bpf_get_current_pid_tgid"),
        ("BPF_CORE_READ_IN", "BPF_CORE_READ_INTO"),
        ("bpf_my_k", "bpf_my_kfunc"),
        ("PIDTYPE_T", "PIDTYPE_TGID"),
        ("struct ta", "task_struct"),
        ("struct ev", "event"),
        ("enum pid", "pid_type"),
        ("bpf_map_lookup_elem(&", "events"),
        ("bpf_map_lookup_elem(&ke", "kept"),
        ("wan", "wanted"),
        ("LIM", "LIMIT"),
        ("retu", "return"),
    ],
)
def test_names(typed: str, first: str) -> None:
    assert complete(LIBBPF + typed, REST)[0] == first


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ('%%bpf\nSEC("trace', ["tracepoint/"]),
        ('%%bpf\nSEC("tracepoint/', ["tracepoint/sched/", "tracepoint/syscalls/"]),
        ('%%bpf\nSEC("tracepoint/sched/', ["tracepoint/sched/sched_switch", "tracepoint/sched/sched_wakeup"]),
        ('%%bpf\nSEC("?tp/syscalls/sys_enter', ["?tp/syscalls/sys_enter_openat"]),
        ('%%bpf\nSEC("kprobe/vfs_', ["kprobe/vfs_open", "kprobe/vfs_read"]),
        ('%%bpf\nSEC("raw_tp/sys', ["raw_tp/sys_enter", "raw_tp/sys_exit"]),
        ('%%bpf\nSEC("ksyscall/op', ["ksyscall/openat", "ksyscall/openat2"]),
        ('%%bpf\nSEC("lsm/file_o', ["lsm/file_open"]),
        ('%%bpf\nSEC("lice', ["license"]),
        ('%%bpf\nSEC("nonsense/x', ["nonsense/x"]),
        (
            "%%bpf\nstruct { __uint(",
            ["key_size", "map_flags", "max_entries", "pinning", "type", "value_size"],
        ),
        ("%%bpf\nstruct { __uint(type, BPF_MAP_TYPE_RIN", ["BPF_MAP_TYPE_RINGBUF"]),
        ("%%bpf\nstruct { __type(k", ["key"]),
        ('%%bpf\n#include "vm', ["vmlinux.h"]),
        ("%%bpf\nTRACEPOINT_PROBE(sch", ["sched"]),
        ("%%bpf\nTRACEPOINT_PROBE(sched, sched_w", ["sched_wakeup"]),
        ("%%bpf\nint kprobe__vfs_o", ["kprobe__vfs_open"]),
        ("%%bpf\nint tracepoint__sched__sched_w", ["tracepoint__sched__sched_wakeup"]),
        (
            '%%bpf\nSEC("tracepoint/sched/sched_switch")\nint f(struct trace_event_raw_sched',
            ["trace_event_raw_sched_switch"],
        ),
        (
            '%%bpf\nSEC("tp/sched/sched_switch") int f(struct trace_event_raw_sched_switch *c) { c->prev_p',
            ["prev_pid"],
        ),
    ],
)
def test_places_maps_and_contexts(cell: str, names: list[str]) -> None:
    assert complete(cell) == names


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("args->", ["data_loc_note", "prev_comm", "prev_pid"]),
        ("counts.inc", ["increment"]),
        ("sent.perf_s", ["perf_submit", "perf_submit_skb"]),
        ("BTF_OFFSET(task_s", ["task_struct"]),
        ("BTF_OFFSET(task_struct, pi", ["pid"]),
        ("BTF_OFFSET(task_struct, se.v", ["vruntime"]),
    ],
)
def test_what_only_bcc_has(typed: str, names: list[str]) -> None:
    assert complete(BCC + typed, REST) == names


@pytest.mark.parametrize(
    ("head", "offered"),
    [
        ('SEC("fentry/bpf_my_kfunc")\nint BPF_PROG(f, ', ["struct task_struct *task"]),
        ('SEC("kprobe/bpf_my_kfunc")\nint BPF_KPROBE(f, struct task_struct *task, ', ["u64 flags"]),
        ('SEC("kretprobe/bpf_my_kfunc")\nint BPF_KRETPROBE(f, ', ["int result"]),
    ],
)
def test_a_program_s_head_is_offered_the_arguments_there(head: str, offered: list[str]) -> None:
    assert complete(f"%%bpf\n{head}") == offered


def test_a_dialect_offers_its_own_macros_alone() -> None:
    assert "BPF_HASH" in complete(BCC + "BPF_", REST)
    assert "BPF_CORE_READ" not in complete(BCC + "BPF_", REST)
    assert "BPF_HASH" not in complete(LIBBPF + "BPF_", REST)
    assert "BPF_CORE_READ" in complete(LIBBPF + "BPF_", REST)
    # Before there is anything to tell them apart by, both do.
    assert {"BPF_HASH", "BPF_CORE_READ"} <= set(complete("%%bpf\nBPF_"))
    assert Cell.read("%%bpf\n").dialect is None  # type: ignore[union-attr]
    assert Cell.read("%%bpf --backend bcc\n").dialect is Dialect.BCC  # type: ignore[union-attr]


@pytest.mark.parametrize("typed", ["// prev->", "/* prev->", 'char *s = "prev->', "#define X prev->"])
def test_nothing_of_c_in_comments_and_strings(typed: str) -> None:
    assert set(complete(LIBBPF + typed, REST)) <= {"prev->"}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("%%bpf --at", ["--attach"]),
        ("%%bpf -o ", ["opens"]),
        ("%%bpf --attach ", ["switched="]),
        ("%%bpf --attach switched=tracepoint:sched:", ["sched_switch", "sched_wakeup"]),
        ("%%bpf --attach switched=kprobe:do_", ["do_exit"]),
        ("%%bpf --backend ", ["bcc", "libbpf"]),
        ("%%bpf --backend=li", ["libbpf"]),
        ("%%bpf --event ", ["events="]),
        ("%%bpf --event events=", ["event"]),
        ("%%bpf --set ", ["LIMIT=", "wanted="]),
        ("%%bpf -t ", []),
        ("%%bpf -t 3 -- ca", []),
    ],
)
def test_options_and_their_values(line: str, names: list[str]) -> None:
    code = LIBBPF.partition("\n")[2]
    found = complete(line, f"\n{code}{REST}")
    assert [name.rpartition(":")[2].removeprefix("events=" if "=" in line else "") for name in found] == names


def test_every_option_is_offered_once() -> None:
    assert complete("%%bpf -", "\n") == sorted([option.flag for option in OPTIONS] + ["--"])
    left = complete("%%bpf --only --attach a=kprobe:b -", "\n")
    assert "--only" not in left
    assert "--attach" in left


def test_the_line_magic() -> None:
    assert complete("%bpf st") == ["status", "stop"]
    assert complete("x = 1\n%bpf stop s") == ["seen"]
    assert complete("%bpf help BPF_MAP_TYPE_RIN") == ["BPF_MAP_TYPE_RINGBUF"]
    assert complete("%bpf probes kprobe:vfs_o") == ["kprobe:vfs_open"]
    assert complete("bpf_get_cur") == []


def test_characters_of_many_bytes_do_not_move_the_cursor() -> None:
    assert complete(LIBBPF + '/* é→€ */ char *é = "ü"; prev->re', REST) == ["real_parent"]


@pytest.mark.parametrize(
    ("marked", "signature"),
    [
        ("u64 x = bpf_get_cur|rent_pid_tgid();", "__u64 bpf_get_current_pid_tgid(void)"),
        ("bpf_map_lookup_elem(|&kept, &wanted);", "void *bpf_map_lookup_elem(void *map, const void *key)"),
        ("bpf_map_lookup_elem(&kept, |);", "void *bpf_map_lookup_elem(void *map, const void *key)"),
        ("bpf_map_lookup_elem(&ke|pt, &wanted);", "kept: hash of struct event"),
        ("x = prev->m|m;", "struct mm_struct *mm;"),
        ("x = BPF_CORE_READ(prev, mm, pg|d);", "u64 *pgd;"),
        ("x = BPF_CO|RE_READ(prev, mm, pgd);", "BPF_CORE_READ(source, member, …)"),
        ("x = ne|xt;", "struct task_struct *next;"),
        ("struct mm_str|uct *mm;", "struct mm_struct;  /* 32 bytes */"),
        ("struct eve|nt other;", "struct event;"),
        ("return PIDTYPE_T|GID;", "PIDTYPE_TGID = 1"),
        ("bpf_my_kf|unc(prev);", "int bpf_my_kfunc(struct task_struct *task, u64 flags)"),
        ("return no_such_na|me;", None),
    ],
)
def test_shift_tab(marked: str, signature: str | None) -> None:
    before, _, after = (LIBBPF + marked + REST).partition("|")
    found = tooltip.look(before + after, len(before))
    assert (found.signature if found is not None else None) == signature


def test_shift_tab_on_the_first_line_and_in_sections() -> None:
    cell = '%%bpf --attach f=kprobe:vfs_open\nSEC("tracepoint/sched/sched_switch")\nint f(void *ctx) { }'
    found = [
        tooltip.look(cell, cell.index(word) + 1) for word in ("%%bpf", "--attach", "kprobe", "tracepoint")
    ]
    assert [each.kind for each in found if each is not None] == [
        "cell magic",
        "option",
        "program",
        "tracepoint",
    ]
    assert found[3] is not None
    assert ("prev_pid", "pid_t") in found[3].members
    assert tooltip.look("len([])", 1) is None


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_no_beginning_of_a_cell_is_too_strange(cut: int) -> None:
    for cell in (LIBBPF + 'u32 x = BPF_CORE_READ(prev, mm, ((("', BCC + "args->((}]"):
        text = cell[: len(cell) - cut]
        completion.find(text, len(text), VERBS, list, dict)
        tooltip.look(text, len(text) // 2)
        Spot.find(text).call()
