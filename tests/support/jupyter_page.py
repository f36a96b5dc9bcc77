"""JupyterLab in a browser: one server and one page for a module of tests."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page, sync_playwright

from support.machine import ROOT

SECONDS = 60
CHROMIUM = "/usr/bin/chromium"


class Lab:
    """A JupyterLab whose notebooks are in ``folder``, shown on ``page``.

    Attributes
    ----------
    address : str
        As ``./lab start`` prints it.
    """

    def __init__(self, folder: Path, address: str, token: str, page: Page) -> None:
        self.folder, self.page = folder, page
        self._address, self._token = address, token
        self.address = f"{address}/lab?token={token}"

    def open(self, name: str, cells: Sequence[str], kernel: str = "python3") -> Page:
        """Write a notebook with these cells, and open it with its kernel ready."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return self.show(name)

    def show(self, name: str) -> Page:
        """Open a notebook, and wait until its kernel answers."""
        self.page.goto(f"{self._address}/lab/tree/{name}?token={self._token}&reset")
        self.ready()
        return self.page

    def ready(self) -> None:
        """Wait until the notebook's kernel answers."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=SECONDS * 1000)
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp?.shell.currentWidget;
                const kernel = panel?.sessionContext?.session?.kernel;
                return kernel?.connectionStatus === "connected" && kernel.status === "idle";
            }""",
            timeout=SECONDS * 1000,
        )

    def run(self, cell: int) -> None:
        """Run a cell, without waiting for its end."""
        self.command("notebook:run-cell", cell)

    def command(self, name: str, cell: int) -> None:
        """Execute one of JupyterLab's commands with this cell selected."""
        self.page.evaluate(
            """([name, cell]) => {
                const app = window.jupyterapp;
                app.shell.currentWidget.content.activeCellIndex = cell;
                void app.commands.execute(name);
            }""",
            [name, cell],
        )

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def theme(self, name: str) -> None:
        """Take "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })", name
        )
        self.page.wait_for_function(
            "name => document.body.dataset.jpThemeName === name", arg=name, timeout=SECONDS * 1000
        )


@contextlib.contextmanager
def serving(folder: Path, environment: dict[str, str] | None = None) -> Iterator[Lab]:
    """Serve ``folder / "notebooks"`` and show it in a browser, both gone afterwards."""
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--port-retries=0", f"--ServerApp.root_dir={notebooks}"]
    command += [f"--IdentityProvider.token={token}", "--expose-app-in-browser"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                **(environment or {}),
            },
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/api/status?token={token}", server)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            try:
                page = browser.new_page(viewport={"width": 1200, "height": 900})
                yield Lab(notebooks, address, token, page)
            finally:
                browser.close()
    finally:
        server.terminate()
        server.wait(SECONDS)


def _wait(address: str, server: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)
    raise RuntimeError("JupyterLab did not start: see server.log")
