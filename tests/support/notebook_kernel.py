"""A notebook's kernel, and the page in front of it: what such a page hears, and what it says to widgets."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from support.machine import ROOT

SECONDS = 60
State = dict[str, Any]


class Cell:
    """A cell that runs, and the outputs that it has so far."""

    def __init__(self, client: BlockingKernelClient, code: str) -> None:
        self._client = client
        self.identity = client.execute(code)
        self.outputs: list[dict[str, Any]] = []
        self.idle = False

    @property
    def error(self) -> str:
        """The name of the error that it ended with."""
        return next((each["ename"] for each in self.outputs if "ename" in each), "")

    @property
    def text(self) -> str:
        """What it printed."""
        return "".join(each["text"] for each in self.outputs if "text" in each)


class Page:
    """Shows one view at a time: the last one that was opened.

    Attributes
    ----------
    state : dict
        Of that widget, as it was sent last.
    updates : int
        How often it was sent.
    """

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client
        self._cells: dict[str, Cell] = {}
        self.forget()

    def forget(self) -> None:
        """Begin with nothing shown."""
        self._comm = ""
        self.state: State = {}
        self.updates = 0
        self.answers = True

    def run(self, code: str) -> Cell:
        """Begin to run a cell."""
        cell = Cell(self._client, code)
        self._cells[cell.identity] = cell
        return cell

    def finish(self, code: str) -> Cell:
        """Run a cell to its end."""
        cell = self.run(code)
        self.until(lambda: cell.idle)
        return cell

    def say(self, **content: object) -> None:
        """Send a message to the widget, as pages without subshells do: behind the cell that runs."""
        data = {"comm_id": self._comm, "data": {"method": "custom", "content": content}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", data))

    def until(self, condition: Callable[[], object]) -> None:
        """Hear what comes until something is so."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, f"it did not come about; the widget shows {self.state}"
            with contextlib.suppress(Empty):
                self._hear(self._client.get_iopub_msg(timeout=0.5))

    def _hear(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        opened = content["data"].get("state", {}) if kind == "comm_open" else {}
        if opened.get("_anywidget_id", "").startswith("ebpf_lab.live."):
            self._comm, self.state = content["comm_id"], opened["state"]
            self.updates = 0
            self.say(kind="arrived")
        elif kind == "comm_msg" and content["comm_id"] == self._comm:
            self.state = content["data"]["state"]["state"]
            self.updates += 1
            if self.answers and self.state["phase"] not in ("ended", "failed"):
                self.say(kind="shown", number=self.state["number"])
        elif kind == "status" and cell is not None:
            cell.idle |= content["execution_state"] == "idle"
        elif cell is not None:
            cell.outputs.append(content)


@contextlib.contextmanager
def notebook() -> Iterator[Page]:
    """A kernel with the lab's magics, and a page; the kernel is gone afterwards."""
    manager = KernelManager(kernel_name="python3")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    manager.start_kernel(env={**os.environ, "PYTHONPATH": path})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        page = Page(client)
        page.finish("%load_ext ebpf_lab")
        yield page
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
