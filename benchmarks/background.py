"""What a trace takes of a processor while it waits for events, and a live view while it shows them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any

from jupyter_client.manager import KernelManager

import ebpf_lab
from benchmarks import native
from benchmarks.harness import Effort, Goal, Result, Series, cpus, process_seconds, processor_seconds
from ebpf_lab.notebook.kernels import KERNEL_OPTIONS

_SECONDS = 10.0
_RATE = 100_000
_WAIT_SECONDS = 60.0
_SHOWING = (
    "Collecting alone takes 8 %: buffers are emptied up to 500 times a second, so that small ones do not"
    " overflow. The rest is 15 updates a second, each with rates, counts of values and the newest rows"
)

_TEXT = """
struct asking { u64 ts; u32 pid; u32 n; char comm[16]; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4 << 20); } events SEC(".maps");
SEC("tracepoint/syscalls/sys_enter_getpgid")
int asked(void *ctx)
{
    struct asking *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e)
        return 0;
    e->ts = bpf_ktime_get_ns();
    e->pid = bpf_get_current_pid_tgid() >> 32;
    e->n = 0;
    bpf_get_current_comm(e->comm, sizeof(e->comm));
    bpf_ringbuf_submit(e, 0);
    return 0;
}
"""


def background(effort: Effort) -> Iterator[Result]:
    """A trace without events, and one with a hundred thousand a second in a notebook's live view."""
    seconds = max(_SECONDS * effort.scale, 0.2)
    rounds = min(effort.rounds, 3)
    with ebpf_lab.trace(_TEXT):
        idle = [processor_seconds(lambda: time.sleep(seconds)) / seconds * 100 for _ in range(rounds)]
    series = Series("the lab", tuple(idle))
    goal = Goal("of one processor", series.median, 0.5, "%", least=False)
    title = "A background trace without events"
    yield Result("background", title, "% of one processor", (series,), False, (goal,))
    with _notebook() as page:
        shares = [page.share(seconds) for _ in range(rounds)]
    series = Series("the lab's kernel, collecting and showing", tuple(shares))
    goal = Goal("of one processor", series.median, 10, "%", least=False, cause=_SHOWING)
    yield Result(
        "background",
        f"A live view at {_RATE:,} events a second",
        "% of one processor",
        (series,),
        False,
        (goal,),
        page.missing,
        (f"{page.updates:,} updates were shown.",),
    )


class _Page:
    """A notebook's kernel, and a page that shows each update and says so."""

    def __init__(self, manager: KernelManager, client: Any) -> None:
        self._client = client
        self._process = manager.provisioner.pid
        self._comm = ""
        self._state: dict[str, Any] = {}
        self.updates = 0
        self.missing = 0

    def share(self, seconds: float) -> float:
        """The kernel's share of a processor, in percent, while events come."""
        self._state = {}
        self._client.execute(f"%%bpf --live --bg\n{_TEXT}")
        self._until(lambda: self._state.get("phase") == "running")
        number = int(_RATE * seconds)
        before = process_seconds(self._process)
        began = time.perf_counter()
        command = [native.compiled("calls"), str(number), str(_RATE), str(cpus()[1])]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as calls:
            self._until(lambda: calls.poll() is not None)
        self._until(lambda: self._state.get("events", 0) >= number)
        taken = process_seconds(self._process) - before
        share = taken / (time.perf_counter() - began) * 100
        self._say(kind="stop")
        self._until(lambda: self._state.get("phase") == "ended")
        # Other processes may ask, too: what is missing is not made up for by theirs.
        self.missing += max(number - self._state["events"] - self._state.get("lost", 0), 0)
        return share

    def _say(self, **content: object) -> None:
        data = {"comm_id": self._comm, "data": {"method": "custom", "content": content}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", data))

    def _until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"the live view does not go on: {self._state}")
            with contextlib.suppress(Empty):
                self._hear(self._client.get_iopub_msg(timeout=0.1))

    def _hear(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        opened = content["data"].get("state", {}) if kind == "comm_open" else {}
        if opened.get("_anywidget_id", "").startswith("ebpf_lab.live."):
            self._comm, self._state = content["comm_id"], opened["state"]
            self._say(kind="arrived")
        elif kind == "comm_msg" and content["comm_id"] == self._comm:
            self._state = content["data"]["state"]["state"]
            self.updates += 1
            if self._state["phase"] not in ("ended", "failed"):
                self._say(kind="shown", number=self._state["number"])


@contextlib.contextmanager
def _notebook() -> Iterator[_Page]:
    manager = KernelManager()
    manager.kernel_spec.argv = [
        *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"), *KERNEL_OPTIONS
    ]  # fmt: skip
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=_WAIT_SECONDS)
        yield _Page(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
