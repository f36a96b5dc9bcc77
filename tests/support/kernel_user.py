"""What an ordinary user does with the kernel "eBPF Lab (VM)"; a program that ``test_jupyter`` runs as one.

``notebook FILE`` executes a notebook strictly, ``lesson FILE`` one that has errors to show, ``cycles N``
starts, interrupts, restarts and ends N kernels, ``abandon`` starts one and waits to be killed.  Each prints
what it saw as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

KERNEL = "ebpf-lab-vm"
SECONDS = 120


def notebook(file: str) -> None:
    """Execute every cell, and fail where one does."""
    read = nbformat.read(file, as_version=4)
    begun = time.monotonic()
    NotebookClient(read, timeout=SECONDS, kernel_name=KERNEL, startup_timeout=SECONDS).execute(
        cwd=str(Path(file).parent)
    )
    texts = ["".join(_texts(cell)) for cell in read.cells]
    print(json.dumps({"cells": texts, "seconds": time.monotonic() - begun}))


def lesson(file: str) -> None:
    """Execute a lesson, and tell of each cell which errors it had and by its tags must have."""
    read = nbformat.read(file, as_version=4)
    NotebookClient(
        read, timeout=2 * SECONDS, kernel_name=KERNEL, startup_timeout=SECONDS, allow_errors=True
    ).execute(cwd=str(Path(file).parent))
    cells = [cell for cell in read.cells if cell.cell_type == "code"]
    names = [[output.ename for output in cell.outputs if output.output_type == "error"] for cell in cells]
    tags = [[tag for tag in cell.metadata.get("tags", []) if tag.startswith("error:")] for cell in cells]
    print(json.dumps({"errors": names, "expected": [[tag[6:] for tag in each] for each in tags]}))


def _texts(cell: nbformat.NotebookNode) -> list[str]:
    return [output.get("text") or output.data.get("text/plain", "") for output in cell.get("outputs", [])]


def cycles(count: str) -> None:
    """Start, interrupt, restart and end kernels, every other one by a kill."""
    answered, interrupted = [], []
    for number in range(int(count)):
        begun = time.monotonic()
        manager, client = start()
        evaluate(client, "1 + 1", "2")
        answered.append(time.monotonic() - begun)
        begun = time.monotonic()
        request = client.execute("import time\nprint('asleep', flush=True)\ntime.sleep(600)")
        while client.get_iopub_msg(timeout=SECONDS)["content"].get("text") != "asleep\n":
            pass
        manager.interrupt_kernel()
        reply = reply_to(client, request)
        assert (reply["status"], reply.get("ename")) == ("error", "KeyboardInterrupt"), reply
        interrupted.append(time.monotonic() - begun)
        evaluate(client, "time.__name__", "'time'")
        manager.restart_kernel()
        client.wait_for_ready(timeout=SECONDS)
        evaluate(client, "'time' in globals()", "False")
        client.stop_channels()
        manager.shutdown_kernel(now=bool(number % 2))
        assert not manager.is_alive()
    print(json.dumps({"answered": answered, "interrupted": interrupted}))


def abandon() -> None:
    """Leave a kernel to its fate."""
    _, client = start()
    evaluate(client, "1 + 1", "2")
    print(json.dumps({"running": True}), flush=True)
    time.sleep(SECONDS)


def start() -> tuple[KernelManager, BlockingKernelClient]:
    """Start a kernel and wait until it answers."""
    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    return manager, client


def evaluate(client: BlockingKernelClient, expression: str, expected: str) -> None:
    """Evaluate an expression, which must have this value."""
    request = client.execute("", user_expressions={"value": expression})
    value = reply_to(client, request)["user_expressions"]["value"]
    assert value["status"] == "ok", value
    assert value["data"]["text/plain"] == expected, value


def reply_to(client: BlockingKernelClient, request: str) -> dict[str, object]:
    """What the kernel answered to a request."""
    while True:
        message = client.get_shell_msg(timeout=SECONDS)
        if message["parent_header"].get("msg_id") == request:
            content: dict[str, object] = message["content"]
            return content


if __name__ == "__main__":
    {"notebook": notebook, "lesson": lesson, "cycles": cycles, "abandon": abandon}[sys.argv[1]](*sys.argv[2:])
