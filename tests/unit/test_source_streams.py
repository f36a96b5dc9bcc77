"""Maps and event streams of a text, and the types that are sent through them."""

from __future__ import annotations

import pytest

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.ctype import Array, Float, Int, Pointer
from ebpf_lab.source.scalars import scalar
from ebpf_lab.source.spec import MapDecl, Stream

LIBBPF = """
#define NAME 16
struct event {{ u64 ts; char comm[NAME]; struct {{ u32 inner; }}; u32 rows[2]; }};
typedef struct {{ u32 a; }} event_t;
typedef struct named {{ u32 a; }} named_t;
union both {{ u32 a; u64 b; }};
enum colour {{ RED }};
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 20); }} rb SEC(".maps");
struct {{
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, sizeof(u32));
}} events SEC(".maps");
struct {{
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __type(key, u32); __type(value, struct event);
}} scratch SEC(".maps");
{before}
SEC("kprobe/do_unlinkat") int BPF_KPROBE(f, int dfd, const char *path)
{{
    {body}
    return 0;
}}
"""
BCC = """
struct event {{ u64 ts; char comm[16]; }};
typedef struct {{ u32 a; }} event_t;
BPF_PERF_OUTPUT(events);
BPF_RINGBUF_OUTPUT(rb, 8);
BPF_PERCPU_ARRAY(scratch, struct event, 1);
{before}
int kprobe__do_unlinkat(struct pt_regs *ctx)
{{
    {body}
    return 0;
}}
"""


def stream(dialect: str, body: str, before: str = "", name: str = "rb", **options: dict[str, str]) -> Stream:
    text = dialect.format(body=body, before=before)
    spec = analyse(text, **options)  # type: ignore[arg-type]
    (found,) = (each for each in spec.streams if each.name == name)
    return found


@pytest.mark.parametrize(
    ("body", "c_type"),
    [
        # reserve: from its size, or from what it is assigned to
        ("struct event *e = bpf_ringbuf_reserve(&rb, sizeof(struct event), 0);", "struct event"),
        ("struct event *e = bpf_ringbuf_reserve(&rb, sizeof(*e), 0);", "struct event"),
        ("struct event *e; e = (struct event *)bpf_ringbuf_reserve(&rb, sizeof *e, 0);", "struct event"),
        ("struct event *e; if (!(e = bpf_ringbuf_reserve(&rb, 32, 0))) return 0;", "struct event"),
        ("struct event *e = bpf_ringbuf_reserve(&rb, sizeof(*e) + dfd, 0);", "struct event"),
        ("void *e = bpf_ringbuf_reserve(&rb, sizeof(event_t), 0);", "event_t"),
        ("u64 *at = bpf_ringbuf_reserve(&rb, sizeof(u64), 0);", "u64"),
        ("unsigned int *at = bpf_ringbuf_reserve(&rb, 4, 0);", "unsigned int"),
        ("char *at = bpf_ringbuf_reserve(&rb, NAME * 2 + (1 << 2), 0);", "char[36]"),
        ("union both *b = bpf_ringbuf_reserve(&rb, sizeof(*b), 0);", "union both"),
        # output: from the size or from what the pointer points to
        ("struct event e = {}; bpf_ringbuf_output(&rb, &e, sizeof(e), 0);", "struct event"),
        ("struct event e = {}; bpf_ringbuf_output(&rb, (void *)&e, 40, 0);", "struct event"),
        ("struct event e[2]; bpf_ringbuf_output(&rb, &e[1], sizeof(e[1]), 0);", "struct event"),
        ("struct event *e = 0; bpf_ringbuf_output(&rb, e, sizeof(e), 0);", "struct event"),
        ("named_t e; bpf_ringbuf_output(&rb, &e, sizeof(e), 0);", "named_t"),
        ("struct named e; bpf_ringbuf_output(&rb, &e, sizeof(struct named), 0);", "struct named"),
        ("u64 ts = 1; bpf_ringbuf_output(&rb, &ts, sizeof(ts), 0);", "u64"),
        ("char name[NAME]; bpf_ringbuf_output(&rb, name, sizeof(name), 0);", "char[16]"),
        ("char name[NAME]; bpf_ringbuf_output(&rb, &name, 16, 0);", "char[16]"),
        ("u32 m[2][0x3]; bpf_ringbuf_output(&rb, m, sizeof(m), 0);", "u32[2][3]"),
        ("struct event *e = 0; bpf_ringbuf_output(&rb, e->comm, sizeof(e->comm), 0);", "char[16]"),
        ("struct event e; bpf_ringbuf_output(&rb, &e.inner, sizeof(e.inner), 0);", "u32"),
        ("struct event e; bpf_ringbuf_output(&rb, &e.rows[1], 4, 0);", "u32"),
        ("enum colour c = RED; bpf_ringbuf_output(&rb, &c, sizeof(c), 0);", "enum colour"),
        ("void *p = 0; bpf_ringbuf_output(&rb, &p, sizeof(p), 0);", "void *"),
        # a map's value, whatever it was put into
        (
            "struct event *e = bpf_map_lookup_elem(&scratch, &z); bpf_ringbuf_output(&rb, e, 40, 0);",
            "struct event",
        ),
        (
            "u32 z = 0; void *e = bpf_map_lookup_elem(&scratch, &z); bpf_ringbuf_output(&rb, e, 40, 0);",
            "struct event",
        ),
        # a size kept in a variable; the nearest declaration counts
        (
            "struct event e; u64 size = sizeof(e); bpf_ringbuf_output(&rb, (void *)&e, size, 0);",
            "struct event",
        ),
        ("u32 e; { struct event e; bpf_ringbuf_output(&rb, &e, sizeof(e), 0); }", "struct event"),
        ("struct event e; { u32 e; } bpf_ringbuf_output(&rb, &e, sizeof(e), 0);", "struct event"),
    ],
)
def test_libbpf_ring_buffer_types(body: str, c_type: str) -> None:
    found = stream(LIBBPF, body)
    assert (found.c_types, found.why) == ((c_type,), "")
    assert found.structs == (c_type.removeprefix("struct ").removeprefix("union ").removeprefix("enum "),)


@pytest.mark.parametrize(
    ("body", "before", "c_types"),
    [
        (
            "struct event e; SEND(e);",
            "#define SEND(x) bpf_ringbuf_output(&rb, &x, sizeof(x), 0)",
            ("struct event",),
        ),
        (
            "SEND(u64); SEND(event_t);",
            "#define RESERVE(map, t) bpf_ringbuf_reserve(&map, sizeof(t), 0)\n"
            "#define SEND(type) do { type *p = RESERVE(rb, type); \\\n bpf_ringbuf_submit(p, 0); } while (0)",
            ("u64", "event_t"),
        ),
        (
            "struct event e; EMIT;",
            "#define EMIT bpf_ringbuf_output(&rb, &e, sizeof(e), 0)",
            ("struct event",),
        ),
        (
            "EVENT e; SEND(rb, &e);",
            "#define EVENT struct event\n#define SEND(m, ...) bpf_ringbuf_output(&m, __VA_ARGS__, 40, 0)",
            ("struct event",),
        ),
        (
            "struct event e; emit(&e);",
            "static void emit(struct event *e) { bpf_ringbuf_output(&rb, e, sizeof(*e), 0); }",
            ("struct event",),
        ),
        (
            "struct event e; emit(&e, 40);",
            "static void emit(void *p, u64 n) { bpf_ringbuf_output(&rb, p, 40, 0); }",
            ("struct event",),
        ),
        (
            "struct event *e = bpf_ringbuf_reserve(&rb, sizeof(*e), 0); "
            "struct event f; bpf_ringbuf_output(&rb, &f, 40, 0); "
            "u32 n; bpf_ringbuf_output(&rb, &n, 4, 0);",
            "",
            ("struct event", "u32"),
        ),
        (
            "PING;",
            "#define PING PONG; bpf_ringbuf_output(&rb, &one, sizeof(one), 0)\n#define PONG PING\nu16 one;",
            ("u16",),
        ),
    ],
)
def test_through_macros_and_functions(body: str, before: str, c_types: tuple[str, ...]) -> None:
    assert stream(LIBBPF, body, before).c_types == c_types


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "nothing in this text was seen to submit to rb"),
        (
            "// bpf_ringbuf_output(&rb, &e, sizeof(struct event), 0);",
            "nothing in this text was seen to submit to rb",
        ),
        ("bpf_ringbuf_output(&rb, e, 8, 0);", "line 18: what e is, is declared nowhere in this text"),
        ("void *e = get(); bpf_ringbuf_output(&rb, e, 8, 0);", "line 18: e is a void pointer"),
        (
            "char b[64]; bpf_ringbuf_output(&rb, b, dfd & 63, 0);",
            "line 18: its size, dfd & 63, is known only when the program runs",
        ),
        (
            "struct { int a; } e; bpf_ringbuf_output(&rb, &e, sizeof(e), 0);",
            "line 18: the struct sent has no name: give it one (struct event { … })",
        ),
        (
            "char b[UNKNOWN]; bpf_ringbuf_output(&rb, b, sizeof(b), 0);",
            "line 18: how long the char array is, is no plain number",
        ),
        (
            "struct event e[2]; bpf_ringbuf_output(&rb, e, sizeof(e), 0);",
            "line 18: it is an array of struct event, or a pointer to one",
        ),
        (
            "bpf_ringbuf_reserve_dynptr(&rb, dfd, 0, &p);",
            "line 18: its size is given in bytes, and not as sizeof a type",
        ),
        ("bpf_ringbuf_output(&rb, dfd, 4, 0);", "line 18: dfd is no pointer"),
        ("bpf_ringbuf_output(&rb);", "line 18: the call has too few arguments"),
    ],
)
def test_why_a_type_is_not_known(body: str, why: str) -> None:
    found = stream(LIBBPF, body)
    assert (found.structs, found.c_types, found.why) == ((), (), why)


def test_libbpf_perf_buffer() -> None:
    body = "struct event e = {}; bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &e, sizeof(e));"
    assert stream(LIBBPF, body, name="events") == Stream(
        "events", "perfbuf", ("event",), "", 11, ("struct event",)
    )


@pytest.mark.parametrize(
    ("body", "name", "c_type"),
    [
        ("struct event e = {}; events.perf_submit(ctx, &e, sizeof(e));", "events", "struct event"),
        ("event_t e = {}; events.perf_submit(ctx, &e, sizeof(event_t));", "events", "event_t"),
        (
            "int z = 0; struct event *e = scratch.lookup(&z); events.perf_submit(ctx, e, sizeof(*e));",
            "events",
            "struct event",
        ),
        (
            "int z = 0; void *e = scratch.lookup(&z); events.perf_submit(ctx, e, 24);",
            "events",
            "struct event",
        ),
        (
            "struct event *e = rb.ringbuf_reserve(sizeof(struct event)); rb.ringbuf_submit(e, 0);",
            "rb",
            "struct event",
        ),
        ("struct event *e = make(); rb.ringbuf_submit(e, 0);", "rb", "struct event"),
        ("event_t e; rb.ringbuf_output(&e, sizeof(e), 0);", "rb", "event_t"),
        ("u64 ts; rb.ringbuf_output(&ts, 8, BPF_RB_FORCE_WAKEUP);", "rb", "u64"),
    ],
)
def test_bcc_types(body: str, name: str, c_type: str) -> None:
    assert stream(BCC, body, name=name).c_types == (c_type,)


def test_override() -> None:
    assert stream(LIBBPF, "", events={"rb": "event"}).c_types == ("struct event",)
    assert stream(LIBBPF, "", events={"rb": "struct event"}).structs == ("event",)
    assert stream(LIBBPF, "", events={"rb": "event_t"}).c_types == ("event_t",)
    assert stream(LIBBPF, "", events={"rb": "both"}).c_types == ("union both",)
    assert stream(LIBBPF, "", events={"rb": "u64"}).c_types == ("u64",)
    assert stream(LIBBPF, "", events={"rb": "char [16]"}).c_types == ("char[16]",)
    assert stream(LIBBPF, "", events={"rb": "trace_event_raw_sys_enter"}).why == ""
    with pytest.raises(UsageProblem) as caught:
        stream(LIBBPF, 'bpf_printk("x");', events={"event": "event"})
    assert caught.value.hint == "did you mean events?"
    assert caught.value.why == "the text's streams are rb and events"
    with pytest.raises(UsageProblem, match="no stream printk"):
        stream(LIBBPF, 'bpf_printk("x");', events={"printk": "event"})


def test_order_and_printk() -> None:
    text = BCC.format(
        before="#define LOG(...) bpf_trace_printk(__VA_ARGS__)", body='LOG("a"); bpf_trace_printk("b");'
    )
    assert [(each.name, each.kind, each.line) for each in analyse(text).streams] == [
        ("events", "perfbuf", 4),
        ("rb", "ringbuf", 5),
        ("printk", "printk", 10),
    ]
    silent = BCC.format(
        before="#define LOG(...) bpf_trace_printk(__VA_ARGS__)", body='/* bpf_printk("a"); */'
    )
    assert [each.name for each in analyse(silent).streams] == ["events", "rb"]


def test_bcc_maps() -> None:
    text = """
BPF_HASH(counts, struct key_t, u64, 1024);
BPF_HISTOGRAM(dist);
BPF_HISTOGRAM(by_key, struct key_t);
BPF_STACK_TRACE(stacks, 1024);
BPF_PERCPU_HASH(per); BPF_TABLE("lru_hash", u32, u64, recent, 64);
BPF_TABLE("stacktrace:/sys/fs/bpf/x", int, u64, pinned, 64);
BPF_PERF_ARRAY(cycles, 2);
BPF_QUEUE(queue, u64, 10);
BPF_ARRAY(1nonsense);
int kprobe__x(void *ctx) { return 0; }
"""
    spec = analyse(text)
    assert spec.maps == (
        MapDecl("counts", "hash", 2),
        MapDecl("dist", "array", 3, histogram=True),
        MapDecl("by_key", "hash", 4, histogram=True),
        MapDecl("stacks", "stack_trace", 5),
        MapDecl("per", "percpu_hash", 6),
        MapDecl("recent", "lru_hash", 6),
        MapDecl("pinned", "stack_trace", 7),
        MapDecl("cycles", "perf_event_array", 8),
        MapDecl("queue", "queue", 9),
    )
    assert spec.streams == ()


def test_libbpf_maps() -> None:
    text = """
struct shape { __uint(type, BPF_MAP_TYPE_HASH); __type(key, u32); __type(value, struct { int a, b; }) };
struct shape shaped SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, u32); __type(value, __u64); } lat_hist SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, char); __type(value, u64); } name_dist SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __type(value, struct hist); } hists_dist SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); } counters SEC(".maps");
struct { int (*type)[BPF_MAP_TYPE_HASH]; } odd SEC(".maps");
struct at { char comm[16]; u32 slot; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, struct at); __type(value, u64); } at_hist SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, struct of); __type(value, u64); } of_hist SEC(".maps");
SEC("perf_event") int f(void *ctx) { u64 n = bpf_perf_event_read(&counters, 0); return 0; }
"""
    spec = analyse(text)
    assert spec.maps == (
        MapDecl("shaped", "hash", 3),
        MapDecl("lat_hist", "array", 4, histogram=True),
        MapDecl("name_dist", "hash", 5),
        MapDecl("hists_dist", "hash", 6),
        MapDecl("counters", "perf_event_array", 7),
        MapDecl("odd", "", 8),
        MapDecl("at_hist", "hash", 10, histogram=True),
        MapDecl("of_hist", "hash", 11),
    )
    assert spec.streams == ()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("u64", Int("u64", 8, False)),
        (" const  unsigned   long long ", Int("unsigned long long", 8, False)),
        ("char[16]", Array(Int("char", 1, True, char=True), 16)),
        ("int [2] [3]", Array(Array(Int("int", 4, True), 3), 2)),
        ("bool", Int("bool", 1, False, boolean=True)),
        ("double", Float("double", 8)),
        ("void *", Pointer("void")),
        ("struct event **", Pointer("struct event *")),
        ("char *[4]", Array(Pointer("char"), 4)),
        ("struct event", None),
        ("event_t", None),
        ("event_t[2]", None),
        ("", None),
        ("16", None),
    ],
)
def test_scalars(text: str, made: object) -> None:
    assert scalar(text) == made
