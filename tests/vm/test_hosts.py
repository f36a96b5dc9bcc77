"""``%%bpf --on`` over two virtual machines with kernels of their own; with ``--full`` only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.cluster import wait_for

from ebpf_lab.hosts import connect
from ebpf_lab.hosts.cluster import Cluster

KERNELS = {"ebpf-lab-6.1": "6.1", "ebpf-lab-6.12": "6.12"}
_SLOW = 600.0
"""Seconds for an engine to come up, on emulated processors and beside other guests."""

GONE = """
struct event { u64 ts; u32 pid; char comm[16]; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 18); } events SEC(".maps");

SEC("kprobe/do_unlinkat")
int gone(struct pt_regs *ctx)
{
    struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e)
        return 0;
    e->ts = bpf_ktime_get_ns();
    e->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(e->comm, sizeof(e->comm));
    bpf_ringbuf_submit(e, 0);
    return 0;
}
"""
UNLINK = """
case $(uname -n) in ebpf-lab-6.1) n=23;; ebpf-lab-6.12) n=29;; esac
for i in $(seq $n); do unlink /no-such-file-$i 2>/dev/null; done
uname -r
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A controller on this machine's loopback, and an engine in each guest."""
    directory = tmp_path_factory.mktemp("cluster")
    security = directory / "profile_default/security"
    environment = os.environ | {"IPYTHONDIR": str(directory)}
    controller = ["-m", "ipyparallel.controller", f"--profile-dir={directory}/profile_default"]
    processes = [subprocess.Popen([sys.executable, *controller], env=environment, start_new_session=True)]
    try:
        wait_for(lambda: (security / "ipcontroller-engine.json").exists(), _SLOW)
        wait_for(lambda: (security / "ipcontroller-client.json").exists(), _SLOW)
        seen_there = json.loads((security / "ipcontroller-engine.json").read_text())
        file = directory / "engine.json"
        file.write_text(json.dumps(seen_there | {"interface": "tcp://10.0.2.2"}))
        for kernel in KERNELS.values():
            machine = [sys.executable, "-m", "ebpf_lab.vm", "--network", "--kernel", kernel, "--"]
            engine = [sys.executable, "-m", "ipyparallel.engine", f"--file={file}"]
            # Files that this process writes later are not seen there for certain: the guest has its own.
            inside = ["env", "IPYTHONDIR=/tmp/ipython", *engine]
            processes.append(subprocess.Popen([*machine, *inside], start_new_session=True))
        made = connect(str(security / "ipcontroller-client.json"))
        try:
            wait_for(lambda: made.meet() or len(made.hosts) == len(KERNELS), _SLOW)
            yield made
        finally:
            made.close()
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait()


def test_each_guest_sees_its_own_calls(cluster: Cluster) -> None:
    table = cluster.table()
    assert table.host.tolist() == list(KERNELS)
    for kernel, series in zip(table.kernel, KERNELS.values(), strict=True):
        assert kernel.startswith(f"{series}.")
    trace = cluster.trace(GONE, list(KERNELS), command=["sh", "-c", UNLINK])
    unlinks = trace.frame[trace.frame.comm == "unlink"]
    assert unlinks.host.value_counts().to_dict() == {"ebpf-lab-6.1": 23, "ebpf-lab-6.12": 29}
    for name, result in trace.results.items():
        assert result.output.decode().startswith(KERNELS[name])
    assert not any("share one kernel" in note for note in trace.notes)
