"""What may be named in a text: asked for when something in it is not known."""

from __future__ import annotations

from collections.abc import Collection


class Known:
    """Names beyond a text's own, and where they come from.

    By itself it knows nothing, which is what there is without a machine (a recorded log, another operating
    system).  A backend's own kind knows what its headers and the kernel have.
    """

    kernel_types = True
    """The text is compiled with the types of the running kernel (``vmlinux.h``)."""

    def helpers(self) -> Collection[str]:
        """The helpers that can be called."""
        return ()

    def types(self) -> Collection[str]:
        """The types there are, as C names them: "struct task_struct", "pid_t"."""
        return ()

    def members(self, type_name: str) -> Collection[str]:
        """The members of a struct or union of the kernel's, empty where it is not known."""
        return ()

    def header_of(self, type_name: str) -> str:
        """The header to include for a type, "" where none is known to have it."""
        return ""

    def macro(self, name: str) -> str:
        """What a macro of the headers for user space stands for (a number), "" where it is not known."""
        return ""

    def is_kernel_function(self, name: str) -> bool:
        """Whether the kernel's BTF has a function of this name."""
        return False
