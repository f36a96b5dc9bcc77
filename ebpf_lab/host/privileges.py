"""What this process may do, and why the kernel said no."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ebpf_lab.errors import MissingPrivilege
from ebpf_lab.source.words import listing

_CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_NET_ADMIN": 12,
    "CAP_IPC_LOCK": 14,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYSLOG": 34,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
"""Bits of ``include/uapi/linux/capability.h``, those that matter to BPF."""

ALL = tuple(_CAPABILITIES)
"""What the lab gives to its processes (``lima/ebpf-lab.service`` says what each is for)."""
TRACING = ("CAP_BPF", "CAP_PERFMON")
"""Enough to load and attach kprobes and raw tracepoints (since Linux 5.8)."""
TRACEFS = (*TRACING, "CAP_DAC_READ_SEARCH")
"""Tracepoints by name: tracefs is readable by root alone."""
NETWORK = ("CAP_BPF", "CAP_NET_ADMIN")
"""XDP and tc."""
ADMIN = ("CAP_SYS_ADMIN",)
"""PMU uprobes and whatever looks at other processes' BPF objects."""

ADDRESSES = ("CAP_BPF", "CAP_SYSLOG")
"""To see code of the kernel, and with it where things are in its memory."""

_EVERY_ID = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Privileges:
    """The credentials of this process, and the switches of this machine that the kernel weighs them with.

    Attributes
    ----------
    effective : int
        Effective capabilities as a bit set.
    initial_namespace : bool
        False in a rootless container, where capabilities do not count for BPF.
    seccomp : bool
        A seccomp filter is on, as in most containers.
    unprivileged_bpf_disabled, perf_event_paranoid, kptr_restrict : int or None
        sysctls, None where they cannot be read.
    lockdown : str
        "none", "integrity", "confidentiality", or "" where the kernel does not say.
    """

    effective: int
    initial_namespace: bool
    seccomp: bool
    unprivileged_bpf_disabled: int | None
    perf_event_paranoid: int | None
    kptr_restrict: int | None
    lockdown: str

    def __str__(self) -> str:
        """One line: capabilities that matter to BPF, and the switches."""
        held = [name for name in _CAPABILITIES if self.has(name)]
        switches = {
            "perf_event_paranoid": self.perf_event_paranoid,
            "unprivileged_bpf_disabled": self.unprivileged_bpf_disabled,
            "kptr_restrict": self.kptr_restrict,
            "lockdown": self.lockdown or None,
        }
        known = [f"{name} {value}" for name, value in switches.items() if value is not None]
        return f"{', '.join(held) or 'no capability for BPF'}; {', '.join(known) or 'no sysctl can be read'}"

    def has(self, capability: str) -> bool:
        """Whether the capability is effective and counts for BPF."""
        return self.initial_namespace and bool(self.effective >> _CAPABILITIES[capability] & 1)

    def missing(self, needed: tuple[str, ...]) -> tuple[str, ...]:
        """Those of ``needed`` that are not there.  CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON too."""
        implied = {"CAP_BPF", "CAP_PERFMON"} if self.has("CAP_SYS_ADMIN") else set()
        return tuple(name for name in needed if name not in implied and not self.has(name))


def current(proc: Path = Path("/proc"), security: Path = Path("/sys/kernel/security")) -> Privileges:
    """The privileges of the calling process."""
    status = _text(proc / "self/status")
    sysctl = proc / "sys/kernel"
    return Privileges(
        effective=int(_field(status, "CapEff") or "0", 16),
        initial_namespace=_is_initial(_text(proc / "self/uid_map")),
        seccomp=_field(status, "Seccomp") not in ("", "0"),
        unprivileged_bpf_disabled=_number(sysctl / "unprivileged_bpf_disabled"),
        perf_event_paranoid=_number(sysctl / "perf_event_paranoid"),
        kptr_restrict=_number(sysctl / "kptr_restrict"),
        lockdown=_chosen(_text(security / "lockdown")),
    )


def explain_eperm(action: str, needed: tuple[str, ...] = TRACING) -> MissingPrivilege:
    """The error for an EPERM or EACCES.

    Parameters
    ----------
    action : str
        What was refused, as a phrase ("load a BPF program").
    needed : tuple of str
        Capabilities that the action asks for.
    """
    return explain(action, needed, current())


def explain(action: str, needed: tuple[str, ...], have: Privileges) -> MissingPrivilege:
    """As :func:`explain_eperm`, for given privileges."""
    refusal = judge(needed, have)
    return MissingPrivilege(f"may not {action}: Operation not permitted", why=refusal.why, hint=refusal.hint)


def memory_locked(wanted: int, proc: Path = Path("/proc")) -> MissingPrivilege:
    """The error for buffers of ``wanted`` bytes a CPU that may not be locked into memory."""
    limit = re.search(r"^Max locked memory +(\S+)", _text(proc / "self/limits"), re.MULTILINE)
    most = int(limit[1]) // 1024 if limit and limit[1].isdigit() else None
    shared = _number(proc / "sys/kernel/perf_event_mlock_kb")
    return MissingPrivilege(
        "may not lock memory for a perf buffer: Operation not permitted",
        why=f"kernel.perf_event_mlock_kb is {shared}, the process's own limit (ulimit -l) {most} KiB, and "
        "it lacks CAP_IPC_LOCK",
        hint=f"sudo sysctl kernel.perf_event_mlock_kb={wanted // 1024}",
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the kernel refused something.

    Attributes
    ----------
    why, hint : str
    final : bool
        No privilege would change it: the kernel itself, not this process, is the cause.
    """

    why: str
    hint: str
    final: bool = False


def judge(needed: tuple[str, ...], have: Privileges) -> Refusal:
    """The likeliest cause of an EPERM or EACCES, from what the process lacks."""
    if not have.initial_namespace:
        return Refusal(
            "this process is in a user namespace (a rootless container?), where its capabilities do not "
            "count for BPF",
            "run it outside the container, or in a container started by root",
        )
    missing = have.missing(needed)
    if missing:
        granted = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in needed)
        return Refusal(
            f"this process lacks {listing(missing)}",
            "run as root (sudo ./lab start), or give a program just these: sudo setpriv --reuid $USER "
            f"--regid $(id -g) --init-groups --inh-caps {granted} --ambient-caps {granted} PROGRAM",
        )
    # Of what the lab does, "integrity" forbids nothing (security_locked_down() in the kernel).
    if have.lockdown == "confidentiality":
        return Refusal(
            "the kernel is locked down (confidentiality), as it may be under Secure Boot",
            "use a virtual machine (./lab vm), or turn off Secure Boot",
            final=True,
        )
    paranoid = have.perf_event_paranoid
    if paranoid is not None and paranoid > 2 and not have.has("CAP_SYS_ADMIN"):
        return Refusal(
            f"kernel.perf_event_paranoid is {paranoid}, which keeps out CAP_PERFMON",
            "sudo sysctl kernel.perf_event_paranoid=2",
        )
    if have.seccomp:
        return Refusal(
            "this process has the capabilities, but a seccomp filter (a container's?) is in force",
            "start the container with --privileged, or with a profile that allows bpf and perf_event_open",
        )
    return Refusal(
        "the kernel refuses it, whatever the process's rights: this one has all that count "
        f"({', '.join(needed)})",
        "./lab vm -- COMMAND runs a command on a Debian kernel that allows it",
        final=True,
    )


def _is_initial(uid_map: str) -> bool:
    # A kernel without user namespaces has no uid_map.
    return not uid_map.strip() or [int(word) for word in uid_map.split()] == [0, 0, _EVERY_ID]


def _field(status: str, name: str) -> str:
    match = re.search(rf"^{name}:\s*(\S+)", status, re.MULTILINE)
    return match[1] if match else ""


def _chosen(text: str) -> str:
    match = re.search(r"\[(\w+)\]", text)
    return match[1] if match else ""


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
