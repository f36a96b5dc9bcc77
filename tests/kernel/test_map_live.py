"""Maps of a running trace: changed from outside for the program to find, and shown as they change."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.notebook_kernel import Page, notebook
from support.texts import BCC_HEAD, LIBBPF_HEAD

import ebpf_lab
from ebpf_lab.host.syscalls import possible_cpus
from ebpf_lab.session import Trace

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")

MAPS = {
    "libbpf": """
struct tally { u64 calls; u32 last; char who[8]; };
enum mode { COUNT, IGNORE };
#define MAP(kind, entries, v) \\
    __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, entries); __type(key, u32); __type(value, v)
struct { MAP(ARRAY, 2, u64); } steps SEC(".maps");
struct { MAP(ARRAY, 1, enum mode); } modes SEC(".maps");
struct { MAP(HASH, 3, struct tally); } totals SEC(".maps");
struct { MAP(PERCPU_ARRAY, 1, u64); } per_cpu SEC(".maps");
struct { MAP(ARRAY, 1, u64); __uint(map_flags, BPF_F_RDONLY); } fixed SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int on_seek(struct trace_event_raw_sys_enter *ctx)
{
    if (ctx->args[2] != MARK)
        return 0;
""",
    "bcc": """
struct tally { u64 calls; u32 last; char who[8]; };
enum mode { COUNT, IGNORE };
BPF_ARRAY(steps, u64, 2);
BPF_ARRAY(modes, enum mode, 1);
BPF_HASH(totals, u32, struct tally, 3);
BPF_PERCPU_ARRAY(per_cpu, u64, 1);

TRACEPOINT_PROBE(syscalls, sys_enter_lseek)
{
    if (args->whence != MARK)
        return 0;
""",
}
BODY = """
    int zero = 0;
    u32 key = 0;
    u64 *step = LOOKUP(steps, &zero), *mine = LOOKUP(per_cpu, &zero);
    enum mode *mode = LOOKUP(modes, &zero);
    struct tally *total = LOOKUP(totals, &key);
    if (!step || !mine || !mode || *mode == IGNORE)
        return 0;
    *mine += 1;
    if (total)
        total->calls += *step;
    return 0;
}
"""


def text(backend: str) -> str:
    if backend == "libbpf":
        return f"{LIBBPF_HEAD}#define LOOKUP(map, key) bpf_map_lookup_elem(&map, key){MAPS[backend]}{BODY}"
    # bcc rewrites methods before macros are.
    return BCC_HEAD + MAPS[backend] + re.sub(r"LOOKUP[(](\w+), ", r"\1.lookup(", BODY)


@pytest.fixture
def trace() -> Iterator[Trace]:
    with ebpf_lab.trace(text("libbpf")) as made:
        yield made


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with notebook() as made:
        yield made


@pytest.mark.parametrize(
    "backend", ["libbpf", pytest.param("bcc", marks=pytest.mark.needs("bcc", "headers"))]
)
def test_a_program_finds_what_was_set(backend: str, seek: Path) -> None:
    with ebpf_lab.trace(text(backend)) as trace:
        trace.maps.set("totals", 0, {"calls": 1000, "who": "me"})
        for step, mode in ((7, "COUNT"), (100, "IGNORE"), (3, 0)):
            trace.maps.set("steps", 0, step)
            trace.maps.set("modes", 0, mode)
            subprocess.run([seek, "23"], check=True)
        trace.maps.set("totals", 0, {"last": 5})
    row = trace.maps["totals"].iloc[0]
    assert (row["calls"], row["last"], row["who"]) == (1000 + 23 * 7 + 23 * 3, 5, "me")
    assert trace.maps["per_cpu"]["value"].tolist() == [46]
    with pytest.raises(ebpf_lab.UsageProblem, match="the trace does not run"):
        trace.maps.set("steps", 0, 1)


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("step", 0, 1, "there is no map step"),
        ("steps", 0, "many", "steps: value: 'many' is no unsigned long long"),
        ("steps", 0, -1, "does not fit unsigned long long"),
        ("steps", 1 << 32, 1, "steps: key: 4294967296 does not fit unsigned int"),
        ("steps", 2, 1, "steps has the elements 0 to 1"),
        ("modes", 0, "NONE", "it has COUNT and IGNORE"),
        ("totals", 0, 7, "a dict of calls, last and who is needed"),
        ("totals", 0, {"call": 7}, "there is no member call"),
        ("totals", 0, {"who": "somebody"}, "does not fit"),
        ("per_cpu", 0, 7, "per_cpu has a value for each CPU"),
        ("fixed", 0, 7, "fixed cannot be changed: .* not permitted"),
    ],
)
def test_what_cannot_be_set_is_said(trace: Trace, name: str, key: object, value: object, words: str) -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match=words):
        trace.maps.set(name, key, value)
    assert trace.maps["steps"]["value"].tolist() == [0, 0]


def test_a_full_map_is_said_to_be_full(trace: Trace) -> None:
    for key in range(3):
        trace.maps.set("totals", key, {"calls": key})
    with pytest.raises(ebpf_lab.UsageProblem, match="totals is full: it has room for 3 elements"):
        trace.maps.set("totals", 3, {"calls": 3})


def test_each_cpu_s_value_is_set(trace: Trace) -> None:
    values = list(range(7, 7 + len(possible_cpus())))
    trace.maps.set("per_cpu", 0, values)
    frame = trace.maps["per_cpu"]
    assert frame["value"].tolist() == [sum(values)]
    assert [frame[f"cpu{cpu}"][0] for cpu in range(len(values))] == values


def test_the_inspector_shows_changes_and_takes_edits(page: Page, seek: Path) -> None:
    page.forget()
    page.finish(f"%%bpf --bg -o seen\n{text('libbpf')}")
    page.finish("seen.maps.set('totals', 0, {})")
    page.finish("%bpf maps steps")
    page.until(lambda: page.state["tables"])
    table = page.state["tables"]["steps"]
    assert sorted(page.state["names"]) == ["fixed", "modes", "per_cpu", "steps", "totals"]
    assert [row for _, row, _ in table["rows"]] == [["0", "0"], ["1", "0"]]
    assert [column["type"] for column in table["columns"]] == ["", "unsigned long long"]

    key = table["rows"][0][0]
    page.say(kind="edit", map="steps", key=key, column="value", text="0x1_")
    page.until(lambda: page.state["said"])
    assert page.state["said"]["bad"].startswith("UsageProblem: steps: value: '0x1_' is no unsigned")
    page.say(kind="edit", map="steps", key=key, column="value", text="7")
    page.until(lambda: page.state["tables"]["steps"]["rows"][0][1] == ["0", "7"])
    assert page.state["tables"]["steps"]["rows"][0][2] == [1]
    assert page.state["said"] == {"good": "steps: value is set to 7"}

    page.say(kind="choose", what="map", value="totals")
    page.until(lambda: "totals" in page.state["tables"])
    subprocess.run([seek, "23"], check=True)
    page.until(lambda: page.state["tables"]["totals"]["rows"][0][1][1] == "161")
    page.say(kind="choose", what="map", value="per_cpu")
    page.until(lambda: "per_cpu" in page.state["tables"])
    assert [each["name"] for each in page.state["tables"]["per_cpu"]["columns"]] == ["key", "value"]
    page.say(kind="choose", what="cpus", value=True)
    page.until(lambda: len(page.state["tables"]["per_cpu"]["columns"]) > 2)

    page.finish("%bpf stop seen")
    page.until(lambda: page.state["phase"] == "ended")
    assert page.state["tables"]["totals"]["rows"][0][1] == ["0", "161", "0", ""]
    assert page.finish("%bpf maps nosuch").error == "UsageProblem"


def test_without_a_notebook_it_says_what_to_do(trace: Trace) -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="needs a notebook") as caught:
        trace.maps.live()
    assert "trace.maps.set" in caught.value.hint
