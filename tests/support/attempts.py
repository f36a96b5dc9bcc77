"""Each thing that takes a right, tried by this process: ``python attempts.py KIND…`` prints what came (JSON).

A kind is one of :data:`KINDS`, or the name of a snippet; what comes is "worked", or the error or the note
that a learner reads.  For names in user programs another user's process has to call getpgid(2) all the while.
"""

from __future__ import annotations

import fcntl
import json
import sys

import ebpf_lab
from ebpf_lab.errors import LabError
from ebpf_lab.host.features import Answer, probe
from ebpf_lab.source import snippets

RING = 'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } e SEC(".maps");'
PERF = """struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __type(key, u32); __type(value, u32); }
e SEC(".maps");"""
SCHED = 'SEC("raw_tp/sched_switch") int p(void *ctx)'
GETPGID = 'SEC("tracepoint/syscalls/sys_enter_getpgid") int p(void *ctx)'

STACKS = """
struct { __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 64); __uint(key_size, 4);
         __uint(value_size, 1016); } stacks SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, struct chain);
         __type(value, u64); } counts SEC(".maps");
%s
{
    struct chain chain = {};
    u64 one = 1;
    chain.pid = bpf_get_current_pid_tgid() >> 32;
    chain.stack_id = bpf_get_stackid(ctx, &stacks, %s);
    if (chain.stack_id < 0)
        return 0;
    bpf_map_update_elem(&counts, &chain, &one, BPF_ANY);
    return 0;
}"""
CHAIN = "struct chain { u32 pid; s32 stack_id; };"

TEXTS = {
    "raw": f"{SCHED} {{ return 0; }}",
    "ring": f"{RING} {SCHED} {{ u64 v = 1; return bpf_ringbuf_output(&e, &v, 8, 0); }}",
    "perf": f"{PERF} {SCHED} {{ u64 v = 1; return bpf_perf_event_output(ctx, &e, ~0U, &v, 8); }}",
    "tracepoint": 'SEC("tracepoint/syscalls/sys_enter_openat") int p(void *ctx) { return 0; }',
    "uprobe": 'SEC("uprobe/libc:malloc") int p(void *ctx) { return 0; }',
    "profile": 'SEC("perf_event") int p(void *ctx) { return 0; }',
    "xdp": 'SEC("xdp") int p(struct xdp_md *ctx) { return 2; }',
    # At a system call's tracepoint older kernels, such as 6.1, have no chain of their own functions.
    "kernel names": CHAIN + STACKS % (SCHED, "0"),
    "user names": CHAIN + STACKS % (GETPGID, "BPF_F_USER_STACK"),
}
PLACES = {"profile": {"p": "profile:hz:9"}, "xdp": {"p": "xdp:lo"}}
FEATURES = {"run counts": "stats", "interfaces": "veth"}
KINDS = (*TEXTS, *FEATURES)
"""What a process with all the rights of ``lima/ebpf-lab.service`` can do."""


def attempt(kind: str) -> str:
    """Try one kind."""
    if kind not in KINDS:
        return _snippet(kind)
    if kind in FEATURES:
        feature = probe(FEATURES[kind])
        return "worked" if feature.answer is Answer.YES else feature.reason
    try:
        # One process at a time: an interface has room for one XDP program.
        with open(__file__) as turn:
            if kind == "xdp":
                fcntl.flock(turn, fcntl.LOCK_EX)
            trace = ebpf_lab.trace(
                TEXTS[kind], attach=PLACES.get(kind), seconds=0.1 if kind.endswith("names") else 0.01
            )
    except LabError as error:
        return error.block()
    if kind.endswith("names"):
        assert len(trace.maps["counts"]), "there was no call chain"
        return next((note for note in trace.results().notes if note.startswith("stacks:")), "worked")
    return "worked"


def _snippet(name: str) -> str:
    """Run a snippet as its header says, and see whether it shows what its header says."""
    snippet = snippets.load(name)
    command = ["sh", "-c", snippet.workload]
    trace = ebpf_lab.trace(snippet.text, command=command, attach=snippet.attach, only=True)
    lost = [f"{key}: {stats.dropped} lost" for key, stats in trace.stats.streams.items() if stats.dropped]
    rows = trace.frame.to_dict("records")
    wrong = [failure for each in snippet.expect if (failure := each.failure(rows))]
    return "; ".join(lost + wrong) or "worked"


if __name__ == "__main__":
    # On a line of its own, below what commands of snippets print.
    print("\n" + json.dumps({kind: attempt(kind) for kind in sys.argv[1:] or KINDS}))
