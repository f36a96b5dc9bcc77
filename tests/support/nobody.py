"""Run a function without any capability, as an ordinary user would."""

from __future__ import annotations

import os
from collections.abc import Callable

_NOBODY = 65534


def as_nobody(function: Callable[[], str]) -> str:
    """What ``function`` returns in a child process that has given up root; an exception comes as its text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            answer = function()
        except BaseException as error:  # noqa: BLE001  the child must end here, whatever happened
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer
