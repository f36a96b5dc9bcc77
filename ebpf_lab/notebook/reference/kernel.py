"""Entries of the running kernel's own: structs, members, functions, constants, tracepoints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ebpf_lab.errors import LabError
from ebpf_lab.host import kernel_names, tracefs
from ebpf_lab.host.records import record
from ebpf_lab.notebook import reference
from ebpf_lab.notebook.reference.entry import Entry
from ebpf_lab.source.probe import Probe, from_section, section_form, section_kind
from ebpf_lab.source.typename import TypeName

_WORDS = ("struct", "union", "enum")
_FORMS = {"rawtracepoint": "raw_tp", "profile": "perf_event"}
"""Kinds of probes whose programs are written about under another name."""
_INTEGERS = frozenset(
    {"int", "unsigned int", "long int", "long unsigned int", "u32", "u64", "s32", "s64", "pid_t", "size_t"}
)
_ON_FUNCTIONS = ("kprobe", "kretprobe", "fentry", "fexit")


def look_up(name: str) -> Entry | None:
    """What there is to say of a name: in the reference, or as the running kernel knows it.

    Parameters
    ----------
    name : str
        A name in C, a type with its word ("struct file"), or a probe ("tracepoint:sched:sched_switch").
    """
    name = name.strip().strip('"').rstrip("()")
    found = reference.entry(name)
    if found is not None:
        return found
    word, _, rest = name.partition(" ")
    if word in _WORDS and rest:
        return type_named(name)
    if ":" in name or "/" in name:
        return place(name)
    return kfunc(name) or constant(name) or type_named(f"struct {name}") or type_named(name)


def type_named(name: str) -> Entry | None:
    """A struct, union, enum or type definition of the kernel's."""
    members = kernel_names.members(name)
    word, _, rest = name.partition(" ")
    if members:
        size = kernel_names.size(name)
        return Entry(
            name=name,
            kind="kernel type",
            signature=f"{name};  /* {size} bytes */",
            text="As the running kernel has it, by its BTF: members and sizes differ from kernel to kernel.",
            members=tuple((member, kernel_names.shown(made)) for member, made in members.items()),
        )
    values = kernel_names.values(rest) if word == "enum" else ()
    if values:
        return Entry(
            name=name, kind="kernel type", signature=name, members=tuple((v, f"{n}") for v, n in values)
        )
    aliased = kernel_names.alias(name) if not rest else None
    if aliased is None:
        return None
    signature = f"typedef {kernel_names.declared(name, aliased)};"
    return Entry(
        name=name, kind="kernel type", signature=signature, text="The running kernel's name for a type."
    )


def member(owner: str, name: str, made: TypeName) -> Entry:
    """A member of a struct, or (with no owner) a variable, and what it is made of itself."""
    signature = f"{kernel_names.declared(name, made)};"
    entry = Entry(name=name, kind=f"member of {owner}" if owner else "variable", signature=signature)
    inner = kernel_names.members(made.base)
    shown = tuple((each, kernel_names.shown(inside)) for each, inside in inner.items())
    return replace(entry, members=shown)


def kfunc(name: str) -> Entry | None:
    """A kernel function that programs may call by its name."""
    if name not in kernel_names.kfuncs():
        return None
    signature = kernel_names.signature(name)
    return Entry(
        name=name,
        kind="kfunc",
        signature=signature,
        text="A function of this kernel that BPF programs may call by its name, once it is declared as below."
        " Other than a helper it may change with the kernel; which types of programs may call it, the kernel"
        " says when they are loaded.",
        example=f"extern {signature} __ksym;",
    )


def constant(name: str) -> Entry | None:
    """A value of one of the kernel's enums."""
    found = kernel_names.constant(name)
    if found is None:
        return None
    enum, value = found
    text = f"A value of the running kernel's enum {enum}." if enum else "A constant of the running kernel."
    return Entry(name=name, kind="constant", signature=f"{name} = {value}", text=text)


def place(name: str) -> Entry | None:
    """A place to attach to, by the name that libbpf's sections or bpftrace have for it."""
    word = re.split("[:/]", name.removeprefix("?"))[0]
    kind = section_kind(word)
    form = reference.entry(_FORMS.get(kind[0], kind[0]) if kind is not None else word)
    if form is None or form.kind != "program":
        return None
    try:
        found = from_section(name) or Probe.parse(name)
    except LabError:
        return form
    made = replace(
        form, name=str(found), signature=f"{found}, {_section(found)}" if _section(found) else str(found)
    )
    if found.kind == "tracepoint":
        return _tracepoint(made, found)
    signature = kernel_names.signature(found.name) if found.kind in _ON_FUNCTIONS else ""
    return replace(made, text=f"Here the function is {signature}. {form.text}") if signature else made


def _section(probe: Probe) -> str:
    if probe.kind in ("profile", "xdp"):
        return ""
    word = section_form(probe.kind)[0].partition("/")[0]
    where = str(probe).partition(":")[2]
    return f'SEC("{word}/{where.replace(":", "/") if probe.kind == "tracepoint" else where}")'


def _tracepoint(made: Entry, probe: Probe) -> Entry:
    try:
        fields = tracefs.fields(probe.group, probe.name)
    except (LabError, OSError):
        return made
    if not fields:
        return replace(made, text=f"This kernel has no tracepoint {probe.group}:{probe.name}. {made.text}")
    struct = f"struct {record(probe.group, probe.name)}"
    known = kernel_names.members(struct)
    context = f"{struct} *" if known else made.context
    if probe.group == "syscalls":
        context += "; in bcc, args with the names below"
    members = tuple((name, words) for words, name in fields)
    example = _program(probe, struct, known) if known else ""
    return replace(made, kind="tracepoint", context=context, members=members, example=example)


def _program(probe: Probe, struct: str, known: Mapping[str, TypeName]) -> str:
    """A program on a tracepoint that prints one of its fields."""
    numbers = [name for name, made in known.items() if not made.layers and made.base in _INTEGERS]
    field = "ret" if "ret" in numbers else next(iter(numbers), "")
    if probe.group == "syscalls" and "args" in known:
        field = "args[0]"
    printed = f'bpf_printk("{field} is %ld", (long)ctx->{field});' if field else 'bpf_printk("here");'
    return (
        f'SEC("tracepoint/{probe.group}/{probe.name}")\n'
        f"int on_{probe.name.replace('-', '_')}({struct} *ctx)\n"
        f"{{\n    {printed}\n    return 0;\n}}"
    )
