"""The notebook around this Python: its displays, and what its page says while a cell blocks."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from typing import Any

_DELIMITER = b"<IDS|MSG>"
_served: set[str] = set()


def in_notebook() -> bool:
    """Whether there is a kernel that a page talks to."""
    return _kernel() is not None


def _kernel() -> Any:
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return getattr(get_ipython(), "kernel", None)


class Display:
    """An output of a cell that can be replaced later."""

    def __init__(self) -> None:
        self._identity = uuid.uuid4().hex
        self._shown = False

    def show(self, bundle: dict[str, Any]) -> None:
        """Show this below the cell that runs."""
        self._publish(bundle, update=False)
        self._shown = True

    def update(self, bundle: dict[str, Any]) -> None:
        """Replace what was shown, wherever it is; nothing where nothing was."""
        if self._shown:
            self._publish(bundle, update=True)

    def _publish(self, bundle: dict[str, Any], *, update: bool) -> None:
        from IPython.core.getipython import get_ipython

        shell: Any = get_ipython()
        shell.display_pub.publish(bundle, transient={"display_id": self._identity}, update=update)


def hear_apart(comm: Any) -> None:
    """Have what a page says to a widget heard in the page's own thread, where the kernel has such.

    ipykernel 7.4 hears it where the widget last spoke instead: mostly the thread that runs cells, where it
    waits for the cell's end.

    Parameters
    ----------
    comm
        The widget's end of its connection.
    """
    comm._reply_subshell_for = lambda _data, default: default


def serve_also(comm: str) -> None:
    """Have :func:`serve` hear what a page says to this widget."""
    _served.add(comm)


def serve() -> None:
    """Hear what pages say to the widgets, in the thread that would hear it if it were not waiting.

    JupyterLab and Notebook send it to a thread of its own where the kernel has such ("subshells", ipykernel
    7); with other pages, and older kernels, it waits behind the cell that blocks, Stop included.  What else
    waits there keeps its order, and is heard after the cell.
    """
    kernel = _kernel()
    if kernel is None or threading.current_thread() is not threading.main_thread():
        return
    # These belong to ipykernel and pyzmq: where they are otherwise, messages wait as they always do.
    with contextlib.suppress(AttributeError, KeyError, ValueError):
        stream = _messages(kernel)
        while (message := _next(stream)) is not None:
            if _is_ours(message):
                idents, parts = kernel.session.feed_identities(message, copy=False)
                kernel.comm_manager.comm_msg(
                    None, idents, kernel.session.deserialize(parts, content=True, copy=False)
                )
            else:
                stream._run_callback(stream._recv_callback, message)


def _messages(kernel: Any) -> Any:
    """Where the waiting thread's messages come in."""
    channel = getattr(kernel, "shell_channel_thread", None)
    if channel is None:
        return kernel.shell_stream
    return channel.manager.get_shell_channel_to_subshell_pair(None).to_stream


def _next(stream: Any) -> Any:
    import zmq

    try:
        return stream.socket.recv_multipart(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None


def _is_ours(message: Any) -> bool:
    frames = [bytes(frame.buffer) for frame in message]
    if _DELIMITER not in frames:
        return False
    # Signature, header, parent, metadata, content.
    behind = frames[frames.index(_DELIMITER) + 1 :]
    if json.loads(behind[1])["msg_type"] != "comm_msg":
        return False
    return json.loads(behind[4])["comm_id"] in _served
