"""What the two backends have in common: how they are called and what they give back."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from ebpf_lab.backends.loaded import Loaded
from ebpf_lab.source.spec import Dialect, ProgramSpec

if TYPE_CHECKING:
    from ebpf_lab.host.targets import Target


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to compile and load.

    Attributes
    ----------
    cache : bool
        Take the object from the cache of earlier compilations, and put it there.
    log_level : int
        What the verifier shall say of programs it accepts: 0 nothing, 1 each instruction with its state,
        2 every path too.  A rejected program is always explained.
    """

    cache: bool = True
    log_level: int = 0


class Compiled(Protocol):
    """A text that compiled; nothing of it is in the kernel yet."""

    def load(self, targets: Mapping[str, Target]) -> Loaded:
        """Put programs and maps into the kernel.

        Parameters
        ----------
        targets : mapping
            What each program, by function name, will be attached to.

        Raises
        ------
        VerifierRejected
            The kernel refused a program.
        MissingFeature, MissingPrivilege
            The kernel cannot, or this process may not.
        """

    def close(self) -> None:
        """Release what compiling holds; what was loaded stays."""


class Build(Protocol):
    """A backend's ``build`` function."""

    def __call__(self, spec: ProgramSpec, options: BuildOptions) -> Compiled:
        """Compile ``spec.text``; raises :class:`~ebpf_lab.errors.CompileError` when it is not valid C."""


def backend_for(dialect: Dialect) -> Build:
    """The ``build`` function of the backend that compiles ``dialect``.

    The backend is imported only now: ``import ebpf_lab`` must work where neither bcc nor libbpf exists.
    """
    module = importlib.import_module(f"ebpf_lab.backends.{dialect.value}")
    return cast(Build, module.build)
