"""What some examples need around them: made before they run, taken away after."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from ebpf_lab.errors import CommandFailed
from ebpf_lab.source.snippets import Snippet


@contextlib.contextmanager
def prepared(snippet: Snippet) -> Iterator[None]:
    """Run a snippet's ``setup`` before the body and its ``cleanup`` after it, whatever happened.

    Each is a script for ``sh -e``: the first command that fails ends it.  Frames are to be had within the
    body: functions of a program that the setup has made are named from its file.

    Parameters
    ----------
    snippet : Snippet

    Raises
    ------
    CommandFailed
        One of the commands failed; its words are in ``why``.  An error of the body, or of the setup, goes
        before one of the cleanup.
    """
    try:
        _run("setup", snippet.name, snippet.setup)
        yield
    except BaseException:
        with contextlib.suppress(CommandFailed):
            _run("cleanup", snippet.name, snippet.cleanup)
        raise
    _run("cleanup", snippet.name, snippet.cleanup)


def _run(key: str, name: str, commands: str) -> None:
    if not commands:
        return
    done = subprocess.run(
        ["sh", "-e", "-c", commands],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        raise CommandFailed(
            f"the {key} of {name} failed (status {done.returncode})",
            why=said.splitlines()[-1] if said else "it printed nothing",
            log=said,
        )
