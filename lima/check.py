"""Check a machine from the inside, as its user: each kind of probe and each lesson, by its own JupyterLab.

usage: VENV/bin/python lima/check.py [LESSON'S NUMBER]

It prints a line for each, and ends with status 1 if one failed.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import websocket

PROJECT = Path(__file__).resolve().parent.parent
ADDRESS = Path("/var/lib/ebpf-lab/url")

CELL_SECONDS = 900
"""The first program that a machine compiles takes most of this where processors are emulated."""

PROBES = {
    "kprobe": ("hello_clone.libbpf", "hello_clone.bcc"),
    "tracepoint": ("open_monitor.libbpf",),
    "uprobe": ("printf_probe.libbpf",),
    "ring buffer": ("exec_ring.libbpf", "exec_ring.bcc"),
    "perf buffer": ("open_monitor_kprobe.libbpf", "open_monitor_kprobe.bcc"),
}
"""Examples whose header says what 23 events they must show."""

CELL = """\
import json
import os
import ebpf_lab
from ebpf_lab.source import snippets

def show(name):
    snippet = snippets.load(name)
    trace = ebpf_lab.trace(
        snippet.text,
        command=["sh", "-c", snippet.workload],
        attach=snippet.attach,
        backend=snippet.backend,
        only=not snippet.whole_system,
    )
    rows = trace.frame.to_dict("records")
    wrong = [failure for each in snippet.expect if (failure := each.failure(rows))]
    assert not wrong, wrong
    assert not any(stats.dropped for stats in trace.stats.streams.values()), trace.stats
    # The workload may have left a line unfinished.
    print("\\n23 of 23 as user", os.getuid())
"""

EXPECTED = """\
from ebpf_lab.lessons.tags import expected_error
print(json.dumps([expected_error(tags) for tags in {tags!r}]))
"""
"""Asked of a kernel, since this process has not the rights that show what the machine can do."""


class Failed(Exception):
    """A cell ended with an error that it should not have, or with none where it should."""


class Kernel:
    """A kernel that the running server starts, used as a browser does."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._server = parts.netloc
        self._header = {"Authorization": f"token {parse_qs(parts.query)['token'][0]}"}

    def __enter__(self) -> Kernel:
        self._id = json.loads(self._ask("POST", "/api/kernels"))["id"]
        self._socket = websocket.create_connection(
            f"ws://{self._server}/api/kernels/{self._id}/channels", header=self._header, timeout=CELL_SECONDS
        )
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()
        self._ask("DELETE", f"/api/kernels/{self._id}")

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"http://{self._server}{path}", headers=self._header, method=method)
        with urllib.request.urlopen(request, timeout=CELL_SECONDS) as answer:
            return answer.read()

    def run(self, code: str, expected: str = "") -> str:
        """Run a cell, which must end with the `expected` error, if any; returns the last line it printed."""
        message = uuid.uuid4().hex
        header = {"msg_id": message, "msg_type": "execute_request", "session": message, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        request = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
        self._socket.send(json.dumps(request | {"content": content}))
        printed, reply, idle = "", None, False
        while reply is None or not idle:
            received = self._socket.recv()
            if isinstance(received, bytes):
                continue  # a widget's, with pictures
            answer = json.loads(received)
            if answer["parent_header"].get("msg_id") != message:
                continue
            content = answer["content"]
            match answer["msg_type"]:
                case "stream":
                    printed += content["text"]
                case "execute_reply":
                    reply = content
                case "status":
                    idle = idle or content["execution_state"] == "idle"
        error = reply.get("ename", "")
        if error != expected:
            raise Failed(f"{error or 'no error'} in:\n{code}\n{reply.get('evalue', '')}\n{printed}")
        return printed.strip().rpartition("\n")[2]


def main(arguments: list[str]) -> int:
    """Run all, and return the exit status."""
    address = ADDRESS.read_text().strip()
    pattern = arguments[0] if arguments else "[0-9][0-9]"
    print(f"Linux {platform.release()} {platform.machine()}, Python {platform.python_version()}", flush=True)
    failures = 0
    with Kernel(address) as kernel:
        kernel.run(CELL)
        for kind, names in PROBES.items():
            for name in names:
                failures += told(f"{kind}, {name}", lambda name=name: kernel.run(f"show({name!r})"))
        lessons = [
            (path, expected(path, kernel))
            for path in sorted((PROJECT / "notebooks").glob(f"{pattern}_*.ipynb"))
        ]
    for path, errors in lessons:
        failures += told(path.name, lambda path=path, errors=errors: lesson(path, errors, address))
    return 1 if failures else 0


def expected(path: Path, kernel: Kernel) -> list[str | None]:
    """The error that each cell of a notebook must end with."""
    tags = [cell["metadata"].get("tags", []) for cell in code_cells(path)]
    return json.loads(kernel.run(EXPECTED.format(tags=tags)))


def lesson(path: Path, errors: list[str | None], address: str) -> str:
    """Run a notebook in a kernel of its own, whose cells must end with these errors, or with none."""
    cells = code_cells(path)
    with Kernel(address) as kernel:
        for cell, error in zip(cells, errors, strict=True):
            kernel.run("".join(cell["source"]), error or "")
    return f"{len(cells)} cells"


def code_cells(path: Path) -> list[dict]:
    """The cells of a notebook that can be run."""
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def told(what: str, run: Callable[[], str]) -> int:
    """Print what comes of it and how long it took; returns 1 if it failed."""
    begin = time.monotonic()
    try:
        result, failures = run(), 0
    except Failed as failure:
        result, failures = f"FAILED: {failure}", 1
    print(f"{what}: {result} ({time.monotonic() - begin:.0f} s)", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
