"""Widgets of a page that ask Python for their state when it is to be sent, and tell it what was clicked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from ebpf_lab.live.shell import hear_apart
from ebpf_lab.live.still import STATIC, css

_COMMON = (STATIC / "common.js").read_text()

State = dict[str, Any]


def _current(_: object, widget: PulledWidget) -> State:
    return widget.current()


class PulledWidget(anywidget.AnyWidget):
    """Has one trait, whose value is asked for whenever it is sent: also when a page that was reloaded asks.

    Parameters
    ----------
    current : callable
        The state to show; called from any thread.
    heard : callable
        Receives what the page sends; called from any thread, and must only take note of it: all that is sent
        is sent by one thread.
    """

    state = traitlets.Dict().tag(sync=True, to_json=_current)

    def __init__(self, current: Callable[[], State], heard: Callable[[Mapping[str, Any]], None]) -> None:
        self.current = current
        super().__init__()
        hear_apart(self.comm)
        self.on_msg(lambda _widget, content, _buffers: heard(content))

    def push(self) -> None:
        """Send the state."""
        self.send_state("state")

    def view(self) -> dict[str, Any]:
        """What makes a page show the widget, by MIME type."""
        return {
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.model_id,
            }
        }


class LiveWidget(PulledWidget):
    """The live view's."""

    _esm = _COMMON + (STATIC / "live.js").read_text()
    _css = css()


class MapWidget(PulledWidget):
    """The map inspector's."""

    _esm = _COMMON + (STATIC / "maps.js").read_text()
    _css = css()
