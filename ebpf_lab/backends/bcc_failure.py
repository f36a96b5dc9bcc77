"""What bcc, its compiler or the kernel said no to, as one of the lab's errors."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ebpf_lab.backends.bcc_log import CELL
from ebpf_lab.backends.bcc_process import LoadAnswer
from ebpf_lab.backends.bcc_text import BccText
from ebpf_lab.backends.known import BccKnown
from ebpf_lab.backends.unsupported import map_refused, not_permitted, require
from ebpf_lab.diagnose import clang, verifier
from ebpf_lab.errors import AttachError, CompileError, LabError, Mark, UsageProblem, VerifierRejected
from ebpf_lab.source.spec import Program, ProgramSpec

_MAP = re.compile(r"could not open bpf map: (\S+), error: (.*)")
_NOT_IN_BTF = re.compile(r"bpf: \S+ is not found in vmlinux BTF")
_NO_BTF = re.compile(r"bpf: vmlinux BTF is not found")
_INCOMPLETE = re.compile(r"incomplete type 'struct (\w+)'")
_ERRNO = {os.strerror(code): code for code in errno.errorcode}

# Structs that the headers of newer kernels take for known, and that older bccs' own bpf.h lacks: opaque to
# programs, as in the kernel's include/uapi/linux/bpf.h.
_NEWER = {
    "bpf_timer": "__u64 opaque[2]",
    "bpf_wq": "__u64 opaque[2]",
    "bpf_dynptr": "__u64 opaque[2]",
    "bpf_list_head": "__u64 opaque[2]",
    "bpf_list_node": "__u64 opaque[3]",
    "bpf_rb_root": "__u64 opaque[2]",
    "bpf_rb_node": "__u64 opaque[4]",
    "bpf_refcount": "__u32 opaque[1]",
}

# Advice for the libbpf dialect, and the same in bcc's words.
_IN_BCC = (
    (
        "a one-element BPF_MAP_TYPE_PERCPU_ARRAY",
        "BPF_PERCPU_ARRAY(scratch, struct event, 1)",
    ),
    ("BPF_CORE_READ() from the kernel", "bpf_probe_read_kernel() from the kernel"),
    ("bpf_ringbuf_submit() or bpf_ringbuf_discard()", ".ringbuf_submit() or .ringbuf_discard()"),
    ('char LICENSE[] SEC("license") = "GPL";', "drop the #define BPF_LICENSE"),
)
_NO_ADDRESS = re.compile(r"R(\d+) invalid mem access '(?:scalar|inv)'")
_NO_GLOBALS = (
    "bcc has no global variables, nor constants that do not fit into instructions",
    "BPF_ARRAY(name, u64, 1), and name.lookup(&zero) for its only element",
)
_MAP_HELPER = re.compile(
    r"\bbpf_map_(?P<call>lookup|update|delete)_elem\s*\(\s*&(?P<map>\w+)\s*,(?P<behind>[^()]*)\)"
)
_LIBBPF_ONLY = re.compile(r"\bSEC\(|bpf_loop\(\)")


def missing_structs(log: str) -> str:
    """Definitions of the structs whose lack stops the kernel's headers from compiling, "" for none."""
    wanted = dict.fromkeys(name for name in _INCOMPLETE.findall(log) if name in _NEWER)
    return " ".join(f"struct {name} {{ {_NEWER[name]}; }};" for name in wanted)


def in_headers(log: str) -> str:
    """The first error, if it is in a header: what bcc's compiler says."""
    errors = (message for message in clang.parse(log) if message.severity == "error" and message.file)
    first = next(errors, None)
    if first is None or first.file == CELL or first.file.startswith("<"):
        return ""
    return f"{first.file}:{first.line}: {first.text}"


def not_compiled(log: str, spec: ProgramSpec) -> LabError:
    """The error for a text of which bcc made nothing; ``log`` is in terms of the text."""
    if refused := _MAP.search(log):
        return map_refused(refused[1], _ERRNO.get(refused[2], 0), spec, log)
    reason = spec.dialect_reason
    return _in_bcc_words(
        clang.compile_error(log, spec.text, files=(CELL,), dialect="bcc", reason=reason, known=BccKnown())
    )


def no_program(program: Program, spec: ProgramSpec) -> CompileError:
    """The error for a function that bcc made no program of."""
    return CompileError(
        f"{program.function}: bcc made no program of it",
        where=_mark(program, spec),
        why="only functions that are not static, and that no #if leaves out, become programs",
    )


def not_verified(program: Program, answer: LoadAnswer, spec: ProgramSpec) -> LabError:
    """The error for a program that the kernel refused before its verifier looked at it."""
    if _NOT_IN_BTF.search(answer.log):
        return AttachError(
            f"{program.probe}: the kernel's BTF has no such function",
            where=_mark(program, spec),
            why="inlined functions, and those of modules that are not loaded, are not in it",
        )
    require(program)
    if answer.errno == errno.EPERM:
        return not_permitted("load BPF programs", spec)
    return verifier.rejected(
        answer.log, function=program.function, text=spec.text, otherwise=os.strerror(answer.errno)
    )


def rejected(
    program: Program, answer: LoadAnswer, log: str, places: Sequence[verifier.Place], spec: ProgramSpec
) -> VerifierRejected:
    """The error for a program that the verifier refused; ``log`` and ``places`` are in the text's terms."""
    error = verifier.rejected(
        log,
        function=program.function,
        text=spec.text,
        files=(CELL,),
        places=places,
        definition=program.line,
        otherwise=os.strerror(answer.errno),
    )
    _in_bcc_words(error)
    if _LIBBPF_ONLY.search(error.hint):
        error.hint = f"in the libbpf dialect: {error.hint}"
    if _reads_global(error.what, log):
        error.why, error.hint = _NO_GLOBALS
    elif error.where and (called := _MAP_HELPER.search(error.where[-1].text)):
        error.why, error.hint = _map_by_address(called)
    else:
        return error
    # What the verifier knows of an address that there is none of is no help.
    error.where = (replace(error.where[-1], note=""),) if error.where else ()
    return error


def unsuitable(program: Program, spec: ProgramSpec) -> UsageProblem | None:
    """The error for a probe that bcc has no programs for, None when it has."""
    probe = program.probe
    assert probe is not None
    libbpf = f'the libbpf dialect can: SEC("{probe.kind}{".s" if probe.sleepable else ""}/…")'
    if probe.kind == "tp_btf" or probe.sleepable:
        what = "sleepable programs" if probe.sleepable else "typed raw tracepoints"
        return UsageProblem(
            f"{program.function}: bcc cannot load {what}", where=_mark(program, spec), hint=libbpf
        )
    macro = {"fentry": "KFUNC_PROBE", "fexit": "KRETFUNC_PROBE", "lsm": "LSM_PROBE"}.get(probe.kind)
    if macro and not _names_target(program.function, probe.name):
        return UsageProblem(
            f"{program.function}: bcc cannot attach this function to {probe}",
            where=_mark(program, spec),
            why=f"for {probe.kind} the target is part of the function's name",
            hint=f"{macro}({probe.name}, …)",
        )
    return None


def _reads_global(what: str, log: str) -> bool:
    """bcc leaves 0 for the address of a global variable."""
    register = _NO_ADDRESS.search(what)
    return register is not None and f"(18) r{register[1]} = 0x0 " in log


def _map_by_address(called: re.Match[str]) -> tuple[str, str]:
    method = called["call"]
    # The flags of an update are left out.
    arguments = ", ".join(part.strip() for part in called["behind"].split(",")[:2])
    return (
        f"a map of bcc's has no address; its calls are {called['map']}.{method}() and the like",
        f"{called['map']}.{method}({arguments})",
    )


def _names_target(function: str, target: str) -> bool:
    prefix, _, place = function.partition("__")
    return prefix in ("kfunc", "kretfunc", "lsm") and place.removeprefix("vmlinux__") == target


def _mark(program: Program, spec: ProgramSpec) -> tuple[Mark, ...]:
    lines = spec.text.splitlines()
    return (Mark(program.line, lines[program.line - 1]),) if 0 < program.line <= len(lines) else ()


def _in_bcc_words(error: LabError) -> LabError:
    for libbpf, bcc in _IN_BCC:
        error.hint = error.hint.replace(libbpf, bcc)
    return error


def lines_of(programs: Iterable[Program], made: BccText) -> dict[str, int]:
    """The line of each program, by its name in bcc."""
    return {made.functions.get(each.function, each.function): each.line for each in programs}
