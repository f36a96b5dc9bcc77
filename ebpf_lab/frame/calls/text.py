"""A system call as one line of text, as strace writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ebpf_lab.frame.calls import values
from ebpf_lab.frame.calls.files import Files, returns_descriptor, signed
from ebpf_lab.frame.calls.shapes import ShapeKind, shapes
from ebpf_lab.frame.calls.tables import Argument, arguments, constants
from ebpf_lab.frame.decoders import errno_naming, error_words

_DESCRIPTORS = frozenset(
    {
        *(
            "fd",
            "dfd",
            "olddfd",
            "newdfd",
            "epfd",
            "oldfd",
            "in_fd",
            "out_fd",
            "fd_in",
            "fd_out",
            "fdin",
            "fdout",
        ),
        *("from_dfd", "to_dfd", "ufd", "pidfd", "infd", "outfd", "fs_fd"),
    }
)
_RESULT_IS_ADDRESS = frozenset({"brk", "mmap", "mremap", "shmat"})
_RESTARTS = {
    "ERESTARTSYS": "To be restarted if SA_RESTART is set",
    "ERESTARTNOINTR": "To be restarted",
    "ERESTARTNOHAND": "To be restarted if no handler",
    "ERESTART_RESTARTBLOCK": "Interrupted by signal",
}
_ERRNO = errno_naming(positive=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A system call as the kernel side saw it.

    Attributes
    ----------
    thread : int
    name : str
        "" for one that the tables do not know.
    number : int
    args : sequence of int
        Six unsigned 64-bit words.
    ret : int or None
        None for a call that did not return.
    texts : mapping
        What arguments point to, by their number.
    """

    thread: int
    name: str
    number: int
    args: Sequence[int]
    ret: int | None
    texts: Mapping[int, bytes]


def call_text(call: Call, files: Files, arch: str) -> str:
    """The call and its arguments: ``close(3</etc/passwd>)``; ``files`` must be as before the call."""
    known = arguments(arch).get(call.name)
    if known is None:
        shown = ", ".join(hex(word) if word else "0" for word in call.args)
        return f"{call.name or f'syscall_{call.number:#x}'}({shown})"
    parts = []
    for at, argument in enumerate(known):
        text = _argument(call, at, argument, files, arch)
        if text is None:
            break
        parts.append(text)
    return f"{call.name}({', '.join(parts)})"


def result_text(call: Call, files: Files) -> str:
    """The result: ``3</etc/passwd>``, ``-1 ENOENT (No such file or directory)``, ``?``."""
    ret = call.ret
    if ret is None:
        return "?"
    if -4095 <= ret < 0:
        name = _ERRNO(ret) or str(-ret)
        if name in _RESTARTS:
            return f"? {name} ({_RESTARTS[name]})"
        words = error_words(-ret)
        return f"-1 {name} ({words})" if words else f"-1 {name}"
    if call.name in _RESULT_IS_ADDRESS:
        return hex(ret & (1 << 64) - 1)
    if returns_descriptor(call.name, call.args):
        return _descriptor(ret, files.name(call.thread, ret))
    return str(ret)


def path_of(call: Call, files: Files, arch: str) -> str:
    """The first path among the arguments as it was given, else the file of the first descriptor, else ""."""
    for shape in shapes(arch).get(call.name, ()):
        if shape.kind is ShapeKind.STRING and shape.argument in call.texts:
            text = call.texts[shape.argument].partition(b"\0")[0]
            if text:
                return text.decode("utf-8", "backslashreplace")
    for at, argument in enumerate(arguments(arch).get(call.name, ())):
        if is_descriptor(argument):
            return files.name(call.thread, signed(call.args[at], 32))
    return ""


def _argument(call: Call, at: int, argument: Argument, files: Files, arch: str) -> str | None:
    """One argument; None where it and all behind it are not used."""
    value = call.args[at]
    if at in call.texts:
        return _pointed(call, at, argument, arch)
    rule = _RULES.get((call.name, argument.name))
    if rule is not None:
        return rule(arch, value, call)
    if argument.pointer:
        return values.address(value)
    if is_descriptor(argument):
        fd = signed(value, 32)
        known = constants(arch, "at_fdcwd")
        return known[fd] if fd in known else _descriptor(fd, files.name(call.thread, fd))
    if argument.name in ("sig", "signal") and argument.type in ("int", "unsigned int"):
        return values.signal(value & 0xFFFFFFFF)
    return values.word(value, argument.type)


def is_descriptor(argument: Argument) -> bool:
    """Whether an argument is a descriptor, as its name and type say."""
    return argument.name in _DESCRIPTORS and not argument.pointer


def _descriptor(fd: int, name: str) -> str:
    # A file's name may hold anything, a terminal's commands included.
    quoted = values.quoted(name.encode(errors="surrogateescape"))[1:-1]
    return f"{fd}<{quoted}>" if name else str(fd)


def _pointed(call: Call, at: int, argument: Argument, arch: str) -> str:
    data = call.texts[at]
    shape = next(each for each in shapes(arch)[call.name] if each.argument == at)
    if shape.kind is ShapeKind.STRING:
        return values.string(data, shape.size)
    if shape.kind is ShapeKind.STRINGS:
        return values.strings(data)
    if argument.type == "struct sockaddr *":
        return values.socket_address(arch, data)
    if shape.kind is ShapeKind.RETURNED:
        ret = call.ret or 0
        # getcwd's result counts the NUL at the end.
        whole = data.removesuffix(b"\0") if call.name == "getcwd" else data
        return (
            values.quoted(whole, cut=ret > len(data)) if ret > 0 or call.name == "read" else _unread(call, at)
        )
    if shape.kind is ShapeKind.SIZED:
        return values.quoted(data, cut=call.args[shape.length] > len(data))
    return _struct(call, argument, data, arch)


def _unread(call: Call, at: int) -> str:
    return values.address(call.args[at])


def _struct(call: Call, argument: Argument, data: bytes, arch: str) -> str:
    failed = call.ret is not None and call.ret < 0
    brought = argument.name in ("fildes", "usockvec", "stat_addr", "old_rlim", "rlim", "oset")
    if brought and (failed or (argument.name == "stat_addr" and not call.ret)):
        at = [each.name for each in arguments(arch)[call.name]].index(argument.name)
        return _unread(call, at)
    if argument.name == "stat_addr":
        return values.exit_status(data)
    if argument.name in ("fildes", "usockvec"):
        return values.descriptors(data)
    if "timespec" in argument.type:
        return values.time(data)
    if "rlimit" in argument.type:
        return values.limits(data)
    if "sigset_t" in argument.type:
        return values.signals(data)
    if argument.type == "struct open_how *":
        return values.how(arch, data)
    return values.clone_arguments(arch, data)


_Rule = Callable[[str, int, Call], str | None]


def _constant(group: str) -> _Rule:
    return lambda arch, value, call: values.constant(arch, group, value & 0xFFFFFFFF)


def _flags(group: str) -> _Rule:
    return lambda arch, value, call: values.flags(arch, group, value & 0xFFFFFFFF)


def _decimal(arch: str, value: int, call: Call) -> str:
    return str(value)


def _address(arch: str, value: int, call: Call) -> str:
    return values.address(value)


def _open_flags(arch: str, value: int, call: Call) -> str:
    return values.open_flags(arch, value & 0xFFFFFFFF)


def _descriptor_flags(arch: str, value: int, call: Call) -> str:
    # O_RDONLY is 0: where there is nothing to open, no access mode is meant.
    text = values.open_flags(arch, value & 0xFFFFFFFF)
    return "|".join(part for part in text.split("|") if part != "O_RDONLY") or "0"


def _open_mode(at: int) -> _Rule:
    def mode(arch: str, value: int, call: Call) -> str | None:
        return values.word(value, "umode_t") if values.creates(call.args[at]) else None

    return mode


def _fcntl_argument(arch: str, value: int, call: Call) -> str | None:
    command = values.constant(arch, "fcntl", call.args[1] & 0xFFFFFFFF)
    if command in ("F_GETFD", "F_GETFL", "F_GETOWN", "F_GETSIG", "F_GETLEASE", "F_GETPIPE_SZ", "F_GET_SEALS"):
        return None
    if command == "F_SETFD":
        return "FD_CLOEXEC" if value == 1 else str(value)
    if command == "F_SETFL":
        return values.open_flags(arch, value & 0xFFFFFFFF)
    return str(value) if value < 1 << 31 else hex(value)


_RULES: dict[tuple[str, str], _Rule] = {
    ("open", "flags"): _open_flags,
    ("open", "mode"): _open_mode(1),
    ("openat", "flags"): _open_flags,
    ("openat", "mode"): _open_mode(2),
    ("access", "mode"): lambda arch, value, call: values.access_mode(arch, value & 7),
    ("faccessat", "mode"): lambda arch, value, call: values.access_mode(arch, value & 7),
    ("faccessat2", "mode"): lambda arch, value, call: values.access_mode(arch, value & 7),
    ("faccessat2", "flags"): _flags("at"),
    ("newfstatat", "flag"): _flags("at"),
    ("statx", "flags"): _flags("at"),
    ("statx", "mask"): _flags("statx"),
    ("unlinkat", "flag"): _flags("at"),
    ("linkat", "flags"): _flags("at"),
    ("utimensat", "flags"): _flags("at"),
    ("fchownat", "flag"): _flags("at"),
    ("execveat", "flags"): _flags("at"),
    ("renameat2", "flags"): _flags("rename"),
    ("umount2", "flags"): _flags("unmount"),
    ("mmap", "addr"): _address,
    ("mmap", "len"): _decimal,
    ("mmap", "prot"): lambda arch, value, call: values.protection(arch, value),
    ("mmap", "flags"): lambda arch, value, call: values.map_flags(arch, value),
    ("mprotect", "prot"): lambda arch, value, call: values.protection(arch, value),
    ("mremap", "old_len"): _decimal,
    ("mremap", "new_len"): _decimal,
    ("mremap", "flags"): _flags("mremap"),
    ("msync", "flags"): _flags("msync"),
    ("madvise", "behavior"): _constant("advice"),
    ("fadvise64", "advice"): _constant("file_advice"),
    ("brk", "brk"): _address,
    ("getcwd", "size"): _decimal,
    ("readv", "vlen"): _decimal,
    ("writev", "vlen"): _decimal,
    ("lseek", "whence"): _constant("seek"),
    ("fcntl", "cmd"): _constant("fcntl"),
    ("fcntl", "arg"): _fcntl_argument,
    ("flock", "cmd"): _flags("lock"),
    ("ioctl", "cmd"): lambda arch, value, call: values.device_request(arch, value & 0xFFFFFFFF),
    ("pipe2", "flags"): _descriptor_flags,
    ("dup3", "flags"): _descriptor_flags,
    ("eventfd2", "flags"): _descriptor_flags,
    ("epoll_create1", "flags"): _descriptor_flags,
    ("epoll_ctl", "op"): _constant("epoll_control"),
    ("memfd_create", "flags"): _flags("memfd"),
    ("getrandom", "flags"): _flags("random"),
    ("clone", "clone_flags"): lambda arch, value, call: values.clone_flags(arch, value, with_signal=True),
    ("clone", "newsp"): _address,
    ("unshare", "unshare_flags"): _flags("clone"),
    ("wait4", "options"): _flags("wait"),
    ("waitid", "which"): _constant("wait_id"),
    ("waitid", "options"): _flags("wait"),
    ("prlimit64", "resource"): _constant("resource"),
    ("getrlimit", "resource"): _constant("resource"),
    ("setrlimit", "resource"): _constant("resource"),
    ("rt_sigprocmask", "how"): _constant("signal_mask"),
    ("futex", "op"): lambda arch, value, call: values.futex_operation(arch, value & 0xFFFFFFFF),
    ("clock_gettime", "which_clock"): _constant("clock"),
    ("clock_getres", "which_clock"): _constant("clock"),
    ("clock_settime", "which_clock"): _constant("clock"),
    ("clock_nanosleep", "which_clock"): _constant("clock"),
    ("timerfd_create", "clockid"): _constant("clock"),
    ("prctl", "option"): _constant("prctl"),
    ("arch_prctl", "option"): _constant("arch_prctl"),
    ("arch_prctl", "arg2"): _address,
    ("socket", "family"): _constant("address_family"),
    ("socket", "type"): lambda arch, value, call: values.socket_type(arch, value & 0xFFFFFFFF),
    ("socketpair", "family"): _constant("address_family"),
    ("socketpair", "type"): lambda arch, value, call: values.socket_type(arch, value & 0xFFFFFFFF),
    ("setsockopt", "level"): _constant("socket_level"),
    ("getsockopt", "level"): _constant("socket_level"),
    ("setsockopt", "optname"): _constant("socket_option"),
    ("getsockopt", "optname"): _constant("socket_option"),
    ("sendto", "flags"): _flags("message"),
    ("recvfrom", "flags"): _flags("message"),
    ("sendmsg", "flags"): _flags("message"),
    ("recvmsg", "flags"): _flags("message"),
}
