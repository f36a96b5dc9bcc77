"""Which kernel function a system call is, and which tracepoint shows what a function shows."""

from __future__ import annotations

import re

from ebpf_lab.host import kallsyms, kernel, tracefs

_WRAPPERS = {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_"}
_NAMED = re.compile(r"(?:__(?:x64|ia32|arm64|arm|riscv|s390x?|powerpc|se|do)_)?(?:sys|SyS)_(\w+)")

_SHOWN_BY = {
    # What a learner may want to probe, and tracepoints that fire in the same place or next to it.  A name
    # on the right without category is a system call: its enter and exit tracepoints.
    "_do_fork": "sched:sched_process_fork",
    "blk_account_io_done": "block:block_rq_complete",
    "blk_mq_start_request": "block:block_rq_issue",
    "do_execveat_common": "execve",
    "do_exit": "sched:sched_process_exit",
    "do_filp_open": "openat",
    "do_group_exit": "exit_group",
    "do_mkdirat": "mkdirat",
    "do_nanosleep": "clock_nanosleep",
    "do_renameat2": "renameat2",
    "do_rmdir": "rmdir",
    "do_send_sig_info": "signal:signal_generate",
    "do_sys_open": "openat",
    "do_sys_openat2": "openat",
    "do_unlinkat": "unlinkat",
    "finish_task_switch": "sched:sched_switch",
    "handle_mm_fault": "exceptions:page_fault_user",
    "ip_rcv": "net:netif_receive_skb",
    "kernel_clone": "sched:sched_process_fork",
    "kfree": "kmem:kfree",
    "kfree_skb_reason": "skb:kfree_skb",
    "kmem_cache_alloc": "kmem:kmem_cache_alloc",
    "ksys_read": "read",
    "ksys_write": "write",
    "begin_new_exec": "sched:sched_process_exec",
    "oom_kill_process": "oom:mark_victim",
    "schedule": "sched:sched_switch",
    "submit_bio": "block:block_bio_queue",
    "tcp_connect": "sock:inet_sock_set_state",
    "tcp_retransmit_skb": "tcp:tcp_retransmit_skb",
    "tcp_set_state": "sock:inet_sock_set_state",
    "tcp_v4_connect": "connect",
    "try_to_wake_up": "sched:sched_waking",
    "vfs_open": "openat",
    "vfs_read": "read",
    "vfs_unlink": "unlinkat",
    "vfs_write": "write",
    "wake_up_new_task": "sched:sched_wakeup_new",
}


def plain_name(function: str) -> str:
    """The system call that a function name means, "" for none.

    Examples
    --------
    >>> plain_name("__arm64_sys_clone"), plain_name("sys_clone"), plain_name("vfs_read")
    ('clone', 'clone', '')
    """
    match = _NAMED.fullmatch(function)
    return match[1] if match else ""


def candidates(name: str, architecture: str) -> list[str]:
    """Functions that may implement the system call, the likeliest first.

    Since Linux kernel commit fa697140f9a2 ("syscalls/x86: Use 'struct pt_regs' based syscall calling
    convention for 64-bit syscalls") in v4.17 they are named by architecture.
    """
    wrapper = _WRAPPERS.get(architecture)
    return [*([wrapper + name] if wrapper else []), f"__se_sys_{name}", f"sys_{name}"]


def function_of(name: str) -> str:
    """The function of a system call on the running kernel, "" when there is no such.

    Where the kernel lists no symbols at all, the likeliest name.
    """
    possible = candidates(name, kernel.architecture())
    known = kallsyms.names()
    if not known:
        return possible[0]
    return next((function for function in possible if known.count(function)), "")


def names() -> list[bytes]:
    """All system calls of the running kernel, by plain name, for listings and suggestions."""
    prefix = candidates("", kernel.architecture())[0].encode()
    return sorted(
        {name.removeprefix(prefix) for name in kallsyms.names().functions() if name.startswith(prefix)}
    )


def shown_by(function: str, *, at_return: bool) -> str:
    """The probe of the running kernel that shows what a kprobe on ``function`` would, "" for none.

    Examples
    --------
    >>> _tracepoint("__x64_sys_clone", at_return=False)
    ('syscalls', 'sys_enter_clone')
    """
    group, name = _tracepoint(function, at_return=at_return)
    return f"tracepoint:{group}:{name}" if name and tracefs.exists(group, name) else ""


def _tracepoint(function: str, *, at_return: bool) -> tuple[str, str]:
    call = plain_name(function) or _SHOWN_BY.get(function, "")
    if ":" in call:
        group, _, name = call.partition(":")
        return group, name
    # uname's system call is still called newuname inside the kernel, and its tracepoint with it.
    return "syscalls", f"sys_{'exit' if at_return else 'enter'}_{call}" if call else ""
