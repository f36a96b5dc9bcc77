"""``%%bpf --on``: cells on two hosts, which are engines of ipyparallel in networks of their own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from support.cluster import Namespaces, wait_for
from support.kernel_objects import ids
from support.texts import seek_stream
from traitlets.config import Config

import ebpf_lab
from ebpf_lab.errors import AttachError, CommandFailed, HostFailed, UsageProblem, VerifierRejected
from ebpf_lab.frame.hexint import HexDtype
from ebpf_lab.host.features import Answer, probe

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf", "xdp", "veth")

PACKETS = """
struct packet { u32 length; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } packets SEC(".maps");

SEC("xdp")
int arrived(struct xdp_md *ctx)
{
    struct packet *p = bpf_ringbuf_reserve(&packets, sizeof(*p), 0);
    if (!p)
        return XDP_PASS;
    p->length = ctx->data_end - ctx->data;
    bpf_ringbuf_submit(p, 0);
    return XDP_PASS;
}
"""
SEND = """
import os, socket
number = {"web1": 23, "web2": 29}[os.uname().nodename]
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(number):
    to.sendto(b"17 bytes are sent", ("127.0.0.1", 9))
"""
REJECTED = """
SEC("tracepoint/syscalls/sys_enter_lseek")
int loops(void *ctx)
{
    for (volatile int i = 0; i >= 0; i++)
        ;
    return 0;
}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespaces]:
    with Namespaces(tmp_path_factory.mktemp("cluster"), ["web1", "web2"]) as made:
        yield made


@pytest.fixture(scope="module")
def shell(cluster: Namespaces) -> Iterator[InteractiveShell]:
    """A notebook that is connected, and has its hosts."""
    InteractiveShell.clear_instance()
    history = {"enabled": False}  # its thread and file would outlive the test
    made = InteractiveShell.instance(colors="nocolor", config=Config({"HistoryManager": history}))
    made.run_line_magic("load_ext", "ebpf_lab")
    wait_for(lambda: len(made.run_line_magic("bpf", f"hosts {cluster.connection}")) == 2)
    _cell(made, "--on all -- true", seek_stream("libbpf", "ringbuf"))  # imports, and threads that stay
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture(scope="module")
def numbers(seek: Path) -> str:
    """The command: 23 calls on web1, and 29 on web2."""
    script = f"case $(uname -n) in web1) n=23;; web2) n=29;; esac; echo $n calls; exec {seek} $n"
    return f"sh -c {shlex.quote(script)}"


def _cell(shell: InteractiveShell, line: str, text: str) -> Any:
    return shell.run_cell_magic("bpf", line, text)


def test_a_cell_brings_each_host_s_own_events(
    shell: InteractiveShell, numbers: str, seek: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = seek_stream("libbpf", "ringbuf")
    frame = _cell(shell, f"--on web1,web2 --only -- {numbers}", text)
    assert frame.groupby("host", observed=True).size().to_dict() == {"web1": 23, "web2": 29}
    assert frame.columns[0] == "host"
    alone = ebpf_lab.trace(text, command=[str(seek), "23"], only=True).frame
    assert frame.dtypes.drop("host").astype(str).to_dict() == alone.dtypes.astype(str).to_dict()
    assert isinstance(frame["where"].dtype, HexDtype)
    assert frame.parity.cat.categories.tolist() == alone.parity.cat.categories.tolist()
    web2 = frame[frame.host == "web2"].reset_index(drop=True).drop(columns=["host", "ts", "pid", "cpu"])
    pd.testing.assert_frame_equal(
        web2.head(23), alone.drop(columns=["ts", "pid", "cpu"]), check_categorical=False
    )
    out = capsys.readouterr().out
    assert "── web1\n23 calls\n── web2\n29 calls\n" in out
    assert "\nweb1: 23 events" in out
    assert "\nweb2: 29 events" in out
    assert "\n2 hosts · 52 events · 0 lost · attached within " in out
    assert "share one kernel" not in out
    assert shell.user_ns["_bpf"].stats["web2"]["events"].delivered == 29
    assert shell.user_ns["_bpf"].command_status == {"web1": 0, "web2": 0}


def test_clocks_are_bounded_and_times_brought_together(shell: InteractiveShell, numbers: str) -> None:
    _cell(shell, f"--on all --only -- {numbers}", seek_stream("libbpf", "ringbuf"))
    made = shell.user_ns["_bpf"]
    for offset in made._offsets.values():
        assert offset.low <= 0 <= offset.high  # one kernel, one clock
    starts = {name: result.clock.start_monotonic_ns for name, result in made.results.items()}
    clocks = made.clocks.set_index("host")
    true = pd.Series({name: pd.Timedelta(at - min(starts.values()), "ns") for name, at in starts.items()})
    assert ((clocks.began - true).abs() <= clocks.within.sum()).all()
    times = made.common_time("ts")
    assert times.dtype == "m8[ns]"
    shifts = (times - made.frame.ts).groupby(made.frame.host, observed=True).unique()
    assert {name: list(each) for name, each in shifts.items()} == {
        name: [clocks.began[name]] for name in starts
    }


def test_a_host_sees_its_own_network(shell: InteractiveShell) -> None:
    frame = _cell(
        shell,
        f"--on all --attach arrived=xdp:lo -- {sys.executable} -c {shlex.quote(SEND)}",
        PACKETS,
    )
    assert frame[frame.length == 14 + 20 + 8 + 17].host.value_counts().to_dict() == {"web1": 23, "web2": 29}


def test_all_are_attached_before_a_command_starts(
    shell: InteractiveShell, seek: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without --only both see the calls of both: each sees all, or began too late.
    frame = _cell(shell, f"--on all -- sh -c '{seek} 23; sleep 0.5'", seek_stream("libbpf", "ringbuf"))
    assert frame.host.value_counts().to_dict() == {"web1": 46, "web2": 46}
    assert "web1 and web2 share one kernel" in capsys.readouterr().out


def test_so_many_events_are_of_each_host(shell: InteractiveShell, seek: Path) -> None:
    frame = _cell(shell, f"--on all -n 7 -- {seek} 23", seek_stream("libbpf", "ringbuf"))
    assert frame.host.value_counts().to_dict() == {"web1": 7, "web2": 7}


def test_wrong_c_is_one_error_for_all_hosts(shell: InteractiveShell) -> None:
    with pytest.raises(VerifierRejected, match=r"^web1 and web2: ") as raised:
        _cell(shell, "--on all -t 600", REJECTED)
    assert raised.value.source == REJECTED
    assert raised.value.where
    assert raised.value.log


def test_what_the_others_brought_is_kept(
    shell: InteractiveShell, cluster: Namespaces, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.inside("web1", *["ip", "link", "add", "only1", "type", "veth", "peer", "name", "only2"])
    with pytest.raises(AttachError, match=r"^web2: .*only1"):
        _cell(shell, "--on web1,web2 --attach arrived=xdp:only1 -- true", PACKETS)
    out = capsys.readouterr().out
    assert "going on with web1\n" in out
    assert "web1 · 0 events" in out
    assert "without web2" in out
    made = shell.user_ns["_bpf"]
    assert made.frame.columns.tolist() == ["host", "length"]
    assert list(made.results) == ["web1"]
    assert list(made.errors) == ["web2"]


def test_hosts_that_fail_for_different_reasons(shell: InteractiveShell, cluster: Namespaces) -> None:
    cluster.inside("web2", *["ip", "link", "add", "only3", "type", "veth", "peer", "name", "only4"])
    script = "case $(uname -n) in web1) exit 1;; esac"
    with pytest.raises(AttachError, match=r"^web1: "):
        _cell(shell, f"--on all --attach arrived=xdp:only3 -- sh -c {shlex.quote(script)}", PACKETS)
    with pytest.raises(CommandFailed, match=r"^web1 and web2: no-such-command: command not found"):
        _cell(shell, "--on all -- no-such-command", seek_stream("libbpf", "ringbuf"))


@pytest.mark.parametrize("stage", ["", "running"])
def test_stop_ends_it_on_all_hosts(shell: InteractiveShell, seek: Path, stage: str) -> None:
    interrupted = []

    def interrupt() -> None:
        wait_for(lambda: shell.user_ns["_bpf"] and shell.user_ns["_bpf"].stage == stage)
        if stage:
            subprocess.run([seek, "23"], check=True)
        interrupted.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    shell.user_ns["_bpf"] = None
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        if stage:
            frame = _cell(shell, "--on all -t 600", seek_stream("libbpf", "ringbuf"))
            assert frame.host.value_counts().to_dict() == {"web1": 23, "web2": 23}
        else:
            with pytest.raises(KeyboardInterrupt):
                _cell(shell, "--on all -t 600", seek_stream("libbpf", "ringbuf"))
        assert time.monotonic() - interrupted[0] < 60  # of the 600 that it would take
    finally:
        thread.join()


def _have_all_hosts_do(shell: InteractiveShell, statement: str) -> None:
    magics = shell.magics_manager.registry["BpfMagics"]
    magics._hosts._cluster._client[:].execute(f"import ebpf_lab.hosts.remote; {statement}", block=True)


def test_hosts_end_what_nobody_asks_about(shell: InteractiveShell, cluster: Namespaces) -> None:
    programs = ids("prog")
    script = f"""
from ebpf_lab.hosts import connect
from support.texts import seek_stream
connect({str(cluster.connection)!r}).trace(seek_stream("libbpf", "ringbuf"), seconds=600)
"""
    path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    notebook = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": path})
    try:
        wait_for(lambda: len(ids("prog") - programs) >= 2)
    finally:
        notebook.kill()
        notebook.wait()
    _have_all_hosts_do(shell, "ebpf_lab.hosts.remote.LEASE = 1.0")
    wait_for(lambda: not ids("prog") - programs)
    _have_all_hosts_do(shell, "ebpf_lab.hosts.remote.LEASE = 30.0")


def test_hosts_are_listed(shell: InteractiveShell) -> None:
    table = shell.run_line_magic("bpf", "hosts")
    assert table.host.tolist() == ["web1", "web2"]
    assert table.kernel.tolist() == [os.uname().release] * 2
    assert table.architecture.tolist() == [os.uname().machine] * 2
    assert table.course.all()
    assert table.remark.str.contains("kprobe").tolist() == [probe("kprobe").answer is Answer.NO] * 2
    assert (table.answer_ms > 0).all()


def test_an_unknown_host_and_another_cluster(shell: InteractiveShell, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no host web3") as raised:
        _cell(shell, "--on web1,web3 -- true", PACKETS)
    assert "web1 and web2" in raised.value.why
    with pytest.raises(HostFailed, match="no cluster is known by"):
        shell.run_line_magic("bpf", f"hosts {tmp_path}/ipcontroller-client.json")


def test_a_host_that_dies_takes_its_programs_along(
    shell: InteractiveShell, cluster: Namespaces, seek: Path
) -> None:
    """The last test: web2 is gone after it."""
    programs = ids("prog")

    def kill() -> None:
        wait_for(lambda: shell.user_ns["_bpf"] and shell.user_ns["_bpf"].stage == "running")
        cluster.kill("web2")
        wait_for(lambda: len(ids("prog") - programs) == 1)
        subprocess.run([seek, "23"], check=True)

    shell.user_ns["_bpf"] = None
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        with pytest.raises(HostFailed, match=r"^web2: its engine has ended"):
            _cell(shell, "--on all -n 23 -t 600", seek_stream("libbpf", "ringbuf"))
    finally:
        thread.join()
    assert shell.user_ns["_bpf"].frame.host.value_counts().to_dict() == {"web1": 23}
