"""A network of two interfaces, for lessons about packets."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

from ebpf_lab.errors import CommandFailed
from ebpf_lab.host import features

PEER = "PEER"
"""The environment variable that has the path of the other end's namespace, for ``nsenter --net=$PEER``."""

_COMMANDS = """\
ip link add lesson0 type veth peer name lesson1 netns {pid}
ip address add 198.51.100.1/30 dev lesson0
ip link set lesson0 up
nsenter --net={path} ip address add 198.51.100.2/30 dev lesson1
nsenter --net={path} ip link set lesson1 up
"""


class Pair:
    """Two interfaces with a wire between them: ``lesson0`` here, ``lesson1`` in a namespace of its own.

    The namespace lives as long as a process is in it, and that one ends with this process, however it ends;
    the wire then goes with the namespace.

    Attributes
    ----------
    commands : str
        How it was made.

    Raises
    ------
    MissingFeature, MissingPrivilege
        This machine has no such interfaces, or this process may not make them.
    CommandFailed
        There is one already, of somebody else.
    """

    def __init__(self) -> None:
        features.require("veth")
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()  # it is in its namespace now
        path = f"/proc/{self._holder.pid}/ns/net"
        self.commands = _COMMANDS.format(pid=self._holder.pid, path=path)
        made = subprocess.run(["sh", "-e", "-c", self.commands], capture_output=True, text=True, check=False)
        if made.returncode:
            self._end()
            raise CommandFailed("the interfaces cannot be made", why=made.stderr.strip())
        os.environ[PEER] = path

    def close(self) -> None:
        """Take both interfaces away; closing twice changes nothing."""
        global _current
        if self._holder.poll() is None:
            # The end of a namespace takes its time; this does not.
            subprocess.run(["ip", "link", "delete", "lesson0"], check=False)
            self._end()
            os.environ.pop(PEER, None)
        if _current is self:
            _current = None

    def _end(self) -> None:
        self._holder.communicate()


_current: Pair | None = None


def pair() -> Pair:
    """The pair of this process, which is made when it is first asked for."""
    global _current
    if _current is None:
        _current = Pair()
    return _current


@contextlib.contextmanager
def paired() -> Iterator[None]:
    """A pair for the body: the one that there is, or one that goes away with the body."""
    if _current is not None:
        yield
        return
    made = pair()
    try:
        yield
    finally:
        made.close()
