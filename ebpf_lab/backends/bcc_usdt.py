"""Arguments of USDT probes for bcc: the functions that ``bpf_usdt_readarg`` stands for.

bcc makes these functions by itself, but only for a running process where the probe has a semaphore or several
places.  The lab attaches by file, and so makes them from the notes in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence

from ebpf_lab.backends.usdt import Argument, arguments
from ebpf_lab.errors import Mark, UsageProblem
from ebpf_lab.host import usdt
from ebpf_lab.host.targets import UserSite
from ebpf_lab.source.spec import Program, ProgramSpec

_READ = re.compile(r"\bbpf_usdt_readarg(?:_p)?\s*\(\s*(\d+)")


def readers(spec: ProgramSpec, names: Mapping[str, str]) -> str:
    """C functions that read the arguments of the text's USDT probes.

    Parameters
    ----------
    spec : ProgramSpec
    names : mapping
        The name that a function has for bcc, where it is not the learner's.

    Raises
    ------
    AttachError
        There is no such probe.
    UsageProblem
        It has no argument of a number that the text asks for.
    MissingFeature
        An argument is in a place that cannot be read.
    """
    made: list[str] = []
    for program in spec.programs if _READ.search(spec.text) else ():
        found = [arguments(site.arguments) for site in _sites(program)]
        count = max(map(len, found), default=0)
        _check(program, count, spec)
        for number in range(count):
            each = [site[number] if number < len(site) else None for site in found]
            # bcc's compiler puts this name in place of bpf_usdt_readarg.
            name = f"_bpf_readarg_{names.get(program.function, program.function)}_{number + 1}"
            made.append(_reader(name, each))
    return "\n".join(made)


def sites(program: Program) -> tuple[UserSite, ...]:
    """Where a program for a USDT probe is attached; the cookie says at which place it runs."""
    return tuple(
        UserSite(site.path, site.offset, site.semaphore, number)
        for number, site in enumerate(_sites(program))
    )


def _sites(program: Program) -> list[usdt.UsdtSite]:
    probe = program.probe
    if probe is None or probe.kind != "usdt":
        return []
    return usdt.find(probe.binary, probe.group, probe.name)


def _check(program: Program, count: int, spec: ProgramSpec) -> None:
    """bcc would only say, of a program with a function missing, that its last instruction is not an exit."""
    if program.probe is None or program.probe.kind != "usdt":
        return
    end = min((each.line for each in spec.programs if each.line > program.line), default=sys.maxsize)
    for number, line in enumerate(spec.text.splitlines(), 1):
        for match in _READ.finditer(line) if program.line <= number < end else ():
            if int(match[1]) not in range(1, count + 1):
                raise UsageProblem(
                    f"{program.probe} has no argument {match[1]}",
                    where=(Mark(number, line, match.start() + 1, len(match[0])),),
                    why=f"it has {count}, counted from 1",
                )


def _reader(name: str, places: Sequence[Argument | None]) -> str:
    """A function that copies one argument; ``places`` says for each site where it is."""
    first = places[0]
    if all(place == first for place in places):
        body = _read(first)
    else:
        cases = "".join(f" case {number}: {_read(place)} break;" for number, place in enumerate(places))
        body = f"switch (bpf_get_attach_cookie(ctx)) {{{cases} default: return -1; }}"
    return (
        f"static __always_inline int {name}(void *ctx, void *into, size_t size) {{"
        f" s64 value = 0; {body} if (size > sizeof(value)) return -1;"
        " __builtin_memcpy(into, &value, size); return 0; }"
    )


def _read(argument: Argument | None) -> str:
    """C statements that set ``value``, widened to 64 bits as the argument's own type would be."""
    if argument is None:
        return "return -1;"
    if argument.kind == "CONST":
        return f"value = {argument.value}LL;"
    kind = f"{'s' if argument.signed else 'u'}{argument.size * 8}"
    register = f"*(u64 *)((char *)ctx + {argument.register})"
    if argument.kind == "REG":
        return f"value = ({kind}){register};"
    address = f"(void *)({register} + ({argument.value}LL))"
    copy = f"bpf_probe_read_user(&lab_copy, sizeof(lab_copy), {address});"
    return f"{{ {kind} lab_copy = 0; {copy} value = lab_copy; }}"
