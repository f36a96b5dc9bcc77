"""Programs of which nothing says where they run: what in their sections is amiss."""

from __future__ import annotations

from ebpf_lab.errors import Mark, UsageProblem
from ebpf_lab.source.probe import nearest_section, section_form, section_kind
from ebpf_lab.source.spec import Program

_PLACES = {"xdp": "xdp:INTERFACE", "profile": "profile:hz:49"}
"""Kinds of which a section says nothing more, and an example of where they run."""

_OTHERS = {
    # Kinds of programs that libbpf knows by their sections, and the lab does not attach.
    "cgroup": "is for control groups",
    "classifier": "is for traffic control",
    "flow_dissector": "is for packets",
    "freplace": "takes the place of another program's function",
    "iter": "is an iterator, which runs when a file is read",
    "kprobe.multi": "is for many functions at once",
    "kprobe.session": "is for many functions at once",
    "kretprobe.multi": "is for many functions at once",
    "lirc_mode2": "is for infrared receivers",
    "lsm_cgroup": "is for control groups",
    "lwt_in": "is for routes",
    "lwt_out": "is for routes",
    "lwt_xmit": "is for routes",
    "netfilter": "is for packet filters",
    "netkit": "is for network devices",
    "sk_lookup": "is for sockets",
    "sk_msg": "is for sockets",
    "sk_skb": "is for sockets",
    "sockops": "is for sockets",
    "socket": "is for sockets",
    "struct_ops": "takes the place of the kernel's own functions",
    "syscall": "is run by hand",
    "tc": "is for traffic control",
    "tcx": "is for traffic control",
    "uprobe.multi": "is for many functions at once",
    "uretprobe.multi": "is for many functions at once",
}


def unattached(program: Program, text: str) -> UsageProblem:
    """The error for a program without a probe.

    Parameters
    ----------
    program : Program
    text : str
        The C text that it is in.
    """
    section, function = program.section, program.function
    found = section_kind(section)
    base = section.removeprefix("?").partition("/")[0].removesuffix(".s")
    what = f"{function}: nothing says where to attach it"
    why, hint = "its name and section name no probe", _attach(function)
    if found and found[0] in _PLACES:
        why, hint = (
            f'SEC("{section}") says what kind of program it is, not where it runs',
            _attach(function, _PLACES[found[0]]),
        )
    elif found:
        form, example = section_form(found[0])
        probe = example.replace("/", ":", 2 if found[0] == "tracepoint" else 1)
        why = f'SEC("{section}") is not of the form SEC("{form}")'
        hint = f'SEC("{example}"), for instance; or {_attach(function, probe)}'
    elif base in _OTHERS:
        why = f'a program in SEC("{base}") {_OTHERS[base]}: the lab attaches tracing programs and XDP'
        hint = ""
    elif section and (near := nearest_section(section)):
        why, hint = f'SEC("{section}") names no kind of program', f'did you mean SEC("{near}")?'
    return UsageProblem(what, where=_marks(program, text), why=why, hint=hint)


def _attach(function: str, place: str = "PROBE, such as tracepoint:syscalls:sys_enter_openat") -> str:
    return f"--attach {function}={place}"


def _marks(program: Program, text: str) -> tuple[Mark, ...]:
    lines = text.splitlines()
    quoted = f'"{program.section}"'
    for line in range(min(program.line, len(lines)), 0, -1):
        column = lines[line - 1].find(quoted)
        if program.section and column >= 0:
            return (Mark(line, lines[line - 1], column + 1, len(quoted)),)
    return (Mark(program.line, lines[program.line - 1]),) if 0 < program.line <= len(lines) else ()
