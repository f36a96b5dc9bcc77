#!/usr/bin/env python3
"""Make ``ebpf_lab/notebook/reference/helpers.json``: each BPF helper's signature, its age, who may call it.

Signatures are those of libbpf's ``bpf_helper_defs.h`` (package libbpf-dev), the first Linux that had a helper
is what libbcc knows of it, and which types of programs may call it is asked of a kernel, by loading a program
of each type that calls the helper.  That takes root, and a kernel with all types of programs::

    ./lab vm --kernel 6.12 --writable /tmp/answers -- python scripts/make_reference.py --ask /tmp/answers/6.12
    scripts/make_reference.py --answers /tmp/answers/6.12
"""

from __future__ import annotations

import argparse
import ctypes
import glob
import json
import os
import platform
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ebpf_lab.host import btf_ids, system_calls  # noqa: E402
from ebpf_lab.host.syscalls import BpfCommand, bpf  # noqa: E402

TABLE = ROOT / "ebpf_lab/notebook/reference/helpers.json"
HEADER = Path("/usr/include/bpf/bpf_helper_defs.h")
_DECLARATION = re.compile(r"^static (?P<result>.*?)\(\* ?const (?P<name>bpf_\w+)\)\((?P<takes>.*)\)"
                          r" = \(void \*\) ?(?P<id>\d+);|"
                          r"^static (?P<result_>.*?)\(\*(?P<name_>bpf_\w+)\)\((?P<takes_>.*)\)"
                          r" = \(void \*\) ?(?P<id_>\d+);", re.MULTILINE)  # fmt: skip
# libbcc misspells the one and lists the other under its neighbour's name.
SINCE = {"bpf_map_peek_elem": "4.20", "bpf_get_func_arg_cnt": "5.17"}

# What takes another kernel to answer: an option that Debian's has not, types that need a device or a struct.
ADDED = {
    "bpf_override_return": ("kprobe",),
    "bpf_lwt_seg6_store_bytes": ("lwt_seg6local",),
    "bpf_lwt_seg6_adjust_srh": ("lwt_seg6local",),
    "bpf_lwt_seg6_action": ("lwt_seg6local",),
    "bpf_rc_repeat": ("lirc_mode2",),
    "bpf_rc_keydown": ("lirc_mode2",),
    "bpf_rc_pointer_rel": ("lirc_mode2",),
    "bpf_tcp_send_ack": ("struct_ops",),
}
# Refused by the map that they work on (check_map_prog_compatibility() in kernel/bpf/verifier.c).
_TRACING = {"kprobe", "tracepoint", "raw_tp", "perf_event"}
REFUSED = {
    **dict.fromkeys(("bpf_spin_lock", "bpf_spin_unlock"), _TRACING | {"socket"}),
    **dict.fromkeys(
        ("bpf_timer_init", "bpf_timer_set_callback", "bpf_timer_start", "bpf_timer_cancel"), _TRACING
    ),
}

FUNCTION, TYPEDEF = btf_ids.FUNCTION, btf_ids.TYPEDEF
_SLEEPABLE = 1 << 4
_LOG = 1 << 16
_REFUSALS = re.compile(r"unknown func|cannot use helper|invalid func|helper call might sleep")


@dataclass(frozen=True)
class Type:
    """A type of program: its number, and what else loading one takes.

    ``target`` (kind and name) is the type in the kernel's BTF that the program is for; ``flags`` go into
    ``prog_flags``.
    """

    name: str
    number: int
    attach: int = 0
    target: tuple[int, str] | None = None
    flags: int = 0


# A function where programs may sleep.
_CALL = (FUNCTION, system_calls.function_of("getpgid"))
# enum bpf_prog_type and enum bpf_attach_type of the kernel's uapi; the names are those of libbpf's sections.
TYPES = (
    Type("kprobe", 2),
    Type("tracepoint", 5),
    Type("raw_tp", 17),
    Type("tp_btf", 26, 23, (TYPEDEF, "btf_trace_sched_process_exec")),
    Type("fentry", 26, 24, _CALL),
    Type("fexit", 26, 25, _CALL),
    Type("iter", 26, 28, (FUNCTION, "bpf_iter_task")),
    Type("lsm", 29, 27, (FUNCTION, "bpf_lsm_file_open")),
    Type("perf_event", 7),
    Type("xdp", 6, 37),
    Type("tc", 3),
    Type("socket", 1),
    Type("cgroup_skb", 8, 0),
    Type("cgroup/sock", 9, 2),
    Type("cgroup/sock_addr", 18, 10),
    Type("cgroup/dev", 15, 6),
    Type("cgroup/sysctl", 23, 18),
    Type("cgroup/sockopt", 25, 21),
    Type("sockops", 13, 3),
    Type("sk_skb", 14, 4),
    Type("sk_msg", 16, 7),
    Type("sk_lookup", 30, 36),
    Type("sk_reuseport", 21, 39),
    Type("flow_dissector", 22, 17),
    Type("lwt_in", 10),
    Type("lwt_xmit", 12),
    Type("netfilter", 32, 45),
    Type("syscall", 31, flags=_SLEEPABLE),
)  # fmt: skip


def declarations(header: str) -> Iterator[tuple[str, int, str]]:
    """Name, number and signature of each helper in libbpf's header."""
    for found in _DECLARATION.finditer(header):
        result, name, takes, number = (
            found[key] or found[f"{key}_"] for key in ("result", "name", "takes", "id")
        )
        space = "" if result.endswith("*") else " "
        yield name, int(number), f"{result.strip()}{space}{name}({takes})"


def ages() -> dict[str, str]:
    """The first Linux that had each helper, as libbcc tells it in its hints."""
    from elftools.elf.elffile import ELFFile

    (path,) = glob.glob("/usr/lib/*/libbcc.so.0")
    data = Path(path).read_bytes()
    with open(path, "rb") as file:
        elf = ELFFile(file)
        segments = [each.header for each in elf.iter_segments() if each["p_type"] == "PT_LOAD"]
        pointers = {
            each["r_offset"]: each["r_addend"]
            for each in elf.get_section_by_name(".rela.dyn").iter_relocations()
        }

    def string(address: int) -> str:
        for segment in segments:
            start = address - segment["p_vaddr"]
            if 0 <= start < segment["p_filesz"]:
                at = start + segment["p_offset"]
                return data[at : data.index(b"\0", at)].decode("latin-1")
        return ""

    # struct bpf_helper { char *name; char *required_version; }: pairs of pointers, in a row.
    found = {}
    for at, target in pointers.items():
        name, version = string(target), string(pointers.get(at + 8, -1))
        if re.fullmatch(r"[a-z]\w+", name) and re.fullmatch(r"\d\.\d+", version):
            found[f"bpf_{name}"] = version
    return found | SINCE


def ask() -> dict[str, Any]:
    """Which program types of the running kernel may call each helper."""
    answers: dict[str, list[str]] = {}
    known = list(declarations(HEADER.read_text()))
    tried = []
    for kind in TYPES:
        btf = 0
        if kind.target is not None:
            btf = btf_ids.kernel_ids([kind.target]).get(kind.target[1], 0)
        loaded, said = _load(kind, btf, None, kind.flags)
        if not loaded:
            print(f"{kind.name}: {said.splitlines()[-1:]}", file=sys.stderr)
            continue
        tried.append(kind.name)
        flags = dict.fromkeys([kind.flags, _SLEEPABLE] if _load(kind, btf, None, _SLEEPABLE)[0] else [0])
        for name, number, _ in known:
            allowed = []
            for flag in flags:
                loaded, said = _load(kind, btf, number, flag)
                allowed.append(loaded or not _REFUSALS.search(said))
            if any(allowed):
                answers.setdefault(name, []).append(kind.name if allowed[0] else f"{kind.name}.s")
    return {"release": platform.release(), "types": tried, "answers": answers}


def _load(kind: Type, btf: int, helper: int | None, flags: int) -> tuple[bool, str]:
    code = struct.pack("<BBhi", 0xB7, 0, 0, 0)  # r0 = 0
    if helper is not None:
        code += struct.pack("<BBhi", 0x85, 0, 0, helper) + struct.pack("<BBhi", 0xB7, 0, 0, 0)
    if kind.name == "netfilter":
        code = code[:-8] + struct.pack("<BBhi", 0xB7, 0, 0, 1)
    code += struct.pack("<BBhi", 0x95, 0, 0, 0)
    instructions = ctypes.create_string_buffer(code, len(code))
    licence, log = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(_LOG)
    attributes = struct.pack(
        "<IIQQIIQII16sIIIIQIIQII",
        *(kind.number, len(code) // 8, ctypes.addressof(instructions), ctypes.addressof(licence)),
        *(1, _LOG, ctypes.addressof(log), 0, flags, b"asking", 0, kind.attach, 0, 0, 0, 0, 0, 0, 0, btf),
    )
    try:
        os.close(bpf(BpfCommand.PROG_LOAD, attributes))
    except OSError as error:
        return False, log.value.decode(errors="replace") or str(error)
    return True, ""


def table(asked: dict[str, Any]) -> dict[str, Any]:
    """The whole table; ``programs`` are the types that may call it, with .s those that may sleep."""
    since = ages()
    helpers = {}
    for name, number, signature in sorted(declarations(HEADER.read_text()), key=lambda each: each[1]):
        programs = asked["answers"].get(name, ADDED.get(name, []))
        if {"iter.s", "lsm.s"} <= set(programs):
            # One list in the kernel; it takes CONFIG_FUNCTION_ERROR_INJECTION to have functions for them.
            programs = [*programs, "fentry.s", "fexit.s"]
        helpers[name] = {
            "id": number,
            "signature": signature,
            "since": since[name],
            "programs": [each for each in programs if each not in REFUSED.get(name, ())],
        }
    return {"asked": asked["release"], "types": asked["types"], "helpers": helpers}


def main() -> None:
    """Ask a kernel, or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--ask", type=Path, metavar="FILE", help="ask this kernel, and write its answers")
    what.add_argument("--answers", type=Path, metavar="FILE", help="make the table with these answers")
    parsed = parser.parse_args()
    if parsed.ask:
        parsed.ask.write_text(json.dumps(ask()))
        return
    made = table(json.loads(parsed.answers.read_text()))
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in made["helpers"].items())
    head = f' "asked": {json.dumps(made["asked"])},\n "types": {json.dumps(made["types"])},'
    TABLE.write_text(f'{{\n{head}\n "helpers": {{\n{rows}\n }}\n}}\n')


if __name__ == "__main__":
    main()
