"""From a large map to a DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

import pandas as pd

import ebpf_lab
from benchmarks.consumers import Producer, bare_bcc, open_programs
from benchmarks.harness import Effort, Goal, Result, alternate, pinned, processor_seconds, ratio

_ELEMENTS = 1_000_000
_BURST = 128
_CAUSE = (
    "More than half of the lab's time is the kernel's own, for walking the hash in batches; most of the rest"
    " is for sorting by key. Tried: a sort that need not be stable, which is kept (half the time for sorting)"
)

_BODY = """
int produce(struct bpf_raw_tracepoint_args *ctx)
{
    u32 first = ctx->args[0];
    for (u32 i = 0; i < BURST; i++) {
        u32 key = first + i;
        u64 value = key * 7ULL;
        UPDATE;
    }
    return BURST << 16 | BURST;
}
""".replace("BURST", str(_BURST))
_LIBBPF = (
    "struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, ROOM);"
    ' __type(key, u32); __type(value, u64); } counts SEC(".maps");\nSEC("raw_tp/xdp_exception")'
    + _BODY.replace("UPDATE", "bpf_map_update_elem(&counts, &key, &value, 0)")
)
_BCC = "#include <uapi/linux/bpf.h>\nBPF_HASH(counts, u32, u64, ROOM);" + _BODY.replace(
    "UPDATE", "counts.update(&key, &value)"
)


def maps(effort: Effort) -> Iterator[Result]:
    """A hash of a million numbers by number."""
    elements = -(-effort.of(_ELEMENTS, 1000) // _BURST) * _BURST
    room = str(elements + elements // 4)
    bcc = bare_bcc()
    with pinned() as cpu, ExitStack() as stack:
        before = open_programs()
        trace = stack.enter_context(ebpf_lab.trace(_LIBBPF.replace("ROOM", room)))
        (program,) = open_programs() - before
        Producer(program, elements, 0, cpu).counts()
        module = bcc.BPF(text=_BCC.replace("ROOM", room), cflags=["-w"])
        stack.callback(module.cleanup)
        Producer(module.load_func("produce", bcc.BPF.RAW_TRACEPOINT).fd, elements, 0, cpu).counts()
        table = module["counts"]
        missing = 0

        def measured(read: Callable[[], pd.DataFrame]) -> float:
            nonlocal missing
            frames: list[pd.DataFrame] = []
            seconds = processor_seconds(lambda: frames.append(read()))
            found = frames[0]
            wrong = (found["value"] != found["key"] * 7).sum()
            missing += abs(elements - len(found)) + int(wrong)
            return elements / seconds / 1e6

        sides = {
            "the lab": lambda: measured(lambda: trace.maps["counts"]),
            "bcc, items()": lambda: measured(
                lambda: _frame((key.value, value.value) for key, value in table.items())
            ),
            "bcc, items_lookup_batch()": lambda: measured(lambda: _frame(table.items_lookup_batch())),
        }
        series = alternate(sides, min(effort.rounds, 3), warm=False)
    goal = Goal(
        "the lab / bcc, items()", ratio(series["the lab"], series["bcc, items()"]), 20, "×", cause=_CAUSE
    )
    yield Result(
        "maps",
        f"A hash map of {elements:,} elements to DataFrame",
        "million elements per second of processor time",
        tuple(series.values()),
        goals=(goal,),
        unaccounted=missing,
    )


def _frame(items: Iterable[tuple[int, int]]) -> pd.DataFrame:
    return pd.DataFrame(list(items), columns=["key", "value"])
