"""Single arguments of system calls as strace writes them: flags, constants, strings, structs."""

from __future__ import annotations

import ipaddress
import struct
from functools import cache

from ebpf_lab.frame.calls.files import signed
from ebpf_lab.frame.calls.tables import constants
from ebpf_lab.frame.decoders import open_flags_naming, signal_naming

_ESCAPES = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_MORE = "..."

WORDS = 32
"""As many of execve's arguments are shown; the kernel side copies one more."""
LONGEST_WORD = 127
"""As many bytes of each are copied."""


def quoted(data: bytes, *, cut: bool = False) -> str:
    r"""Bytes as a C string, ``cut`` where there were more.

    Examples
    --------
    >>> print(quoted(b"a\n\0001\xff", cut=True))
    "a\n\0001\377"...
    """
    parts = []
    for at, byte in enumerate(data):
        if byte in _ESCAPES:
            parts.append(_ESCAPES[byte])
        elif 32 <= byte < 127:
            parts.append(chr(byte))
        else:
            # A digit that follows would be taken for the number's.
            digit_follows = data[at + 1 : at + 2].isdigit()
            parts.append(f"\\{byte:03o}" if digit_follows else f"\\{byte:o}")
    return f'"{"".join(parts)}"{_MORE if cut else ""}'


def string(data: bytes, most: int) -> str:
    """A C string, of which ``most`` bytes were copied with the NUL."""
    return quoted(data.partition(b"\0")[0], cut=len(data) >= most)


def strings(data: bytes) -> str:
    """execve's arguments, of which there may be more, and each longer."""
    texts = data.split(b"\0")[:-1]
    parts = [quoted(text, cut=len(text) >= LONGEST_WORD) for text in texts[:WORDS]]
    return f"[{', '.join(parts + [_MORE] * (len(texts) > WORDS))}]"


def address(value: int) -> str:
    """An address."""
    return hex(value) if value else "NULL"


def constant(arch: str, group: str, value: int) -> str:
    """A value of which a group of constants names one."""
    return constants(arch, group).get(value, str(value) if value < 4096 else hex(value))


def flags(arch: str, group: str, value: int) -> str:
    """Or-ed constants of a group; what none of them is stays a number."""
    return _joined(constants(arch, group), value)


def _joined(names: dict[int, str], value: int) -> str:
    found = []
    # Sums of others stand for them where all are there: the widest first, shown in the order of their bits.
    for bits in sorted((bits for bits in names if bits), key=lambda bits: (-bits.bit_count(), bits)):
        if value & bits == bits:
            found.append((bits & -bits, names[bits]))
            value &= ~bits
    parts = [name for _, name in sorted(found)]
    if value:
        parts.append(hex(value))
    return "|".join(parts) if parts else names.get(0, "0")


@cache
def open_flags(arch: str, value: int) -> str:
    """open(2)'s flags."""
    return open_flags_naming(arch)(value) or "0"


def creates(value: int) -> bool:
    """Whether open(2) with these flags uses a mode: O_CREAT or the bit of O_TMPFILE."""
    return bool(value & (0o100 | 0o20000000))


def access_mode(arch: str, value: int) -> str:
    """access(2)'s mode, by the names that programs use for the kernel's MAY_READ."""
    names = {bits: f"{name[4]}_OK" for bits, name in constants(arch, "access_mode").items()}
    return "|".join(names[bits] for bits in sorted(names, reverse=True) if value & bits) or "F_OK"


def protection(arch: str, value: int) -> str:
    """mmap(2)'s protection."""
    return flags(arch, "protection", value) if value else "PROT_NONE"


def map_flags(arch: str, value: int) -> str:
    """mmap(2)'s flags: a type, and bits."""
    kind = constants(arch, "map_type").get(value & 3, hex(value & 3))
    rest = flags(arch, "map", value & ~3)
    return kind if rest == "0" else f"{kind}|{rest}"


def signal(value: int) -> str:
    """A signal's number."""
    return signal_naming()(value) or "0"


def clone_flags(arch: str, value: int, *, with_signal: bool) -> str:
    """clone(2)'s flags, whose lowest byte is the signal of the child's end."""
    ends = value & 0xFF if with_signal else 0
    rest = flags(arch, "clone", value & ~0xFF if with_signal else value)
    return (
        "|".join(part for part in (rest if rest != "0" else "", signal(ends) if ends else "") if part) or "0"
    )


def socket_type(arch: str, value: int) -> str:
    """socket(2)'s type and the flags with it, which are open(2)'s."""
    names = {0o2000000: "SOCK_CLOEXEC", 0o4000: "SOCK_NONBLOCK"}
    kind = constant(arch, "socket_type", value & 0xF)
    return "|".join([kind, *(name for bits, name in names.items() if value & bits)])


def futex_operation(arch: str, value: int) -> str:
    """futex(2)'s operation and its flags; the names that contain "PRIVATE" are shorter."""
    private = value & 128
    name = constant(arch, "futex", value & 127)
    clock = "|FUTEX_CLOCK_REALTIME" if value & 256 else ""
    return f"{name}{'_PRIVATE' if private else ''}{clock}"


def device_request(arch: str, value: int) -> str:
    """ioctl(2)'s request; a terminal's by name, others by how they are made up."""
    known = constants(arch, "ioctl").get(value)
    if known:
        return known
    directions = ("_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE")
    kind, number, size = value >> 8 & 0xFF, value & 0xFF, value >> 16 & 0x3FFF
    return f"_IOC({directions[value >> 30 & 3]}, {kind:#x}, {number:#x}, {size:#x})"


def exit_status(data: bytes) -> str:
    """wait(2)'s status."""
    status = int.from_bytes(data[:4], "little")
    if status & 0x7F == 0:
        return f"[{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8 & 0xFF}}}]"
    if status & 0xFF == 0x7F:
        return f"[{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal(status >> 8 & 0xFF)}}}]"
    core = " && WCOREDUMP(s)" if status & 0x80 else ""
    return f"[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal(status & 0x7F)}{core}}}]"


def time(data: bytes) -> str:
    """A struct __kernel_timespec."""
    seconds, nanoseconds = struct.unpack("<qq", data)
    return f"{{tv_sec={seconds}, tv_nsec={nanoseconds}}}"


def limits(data: bytes) -> str:
    """A struct rlimit64."""
    now, most = (_limit(value) for value in struct.unpack("<QQ", data))
    return f"{{rlim_cur={now}, rlim_max={most}}}"


def _limit(value: int) -> str:
    if value == (1 << 64) - 1:
        return "RLIM64_INFINITY"
    return f"{value // 1024}*1024" if value > 1024 and value % 1024 == 0 else str(value)


def signals(data: bytes) -> str:
    """A sigset_t: of more than half of all, those that are missing."""
    mask = int.from_bytes(data, "little")
    absent = mask.bit_count() > 32
    listed = ~mask if absent else mask
    names = [signal(n + 1).removeprefix("SIG") for n in range(64) if listed >> n & 1]
    return f"{'~' if absent else ''}[{' '.join(names)}]"


def descriptors(data: bytes) -> str:
    """Two descriptors, as pipe(2) brings them."""
    return f"[{', '.join(str(number) for number in struct.unpack('<ii', data))}]"


def how(arch: str, data: bytes) -> str:
    """openat2(2)'s struct open_how."""
    opened, mode, resolve = struct.unpack("<QQQ", data)
    with_mode = f", mode={mode:#o}" if creates(opened) else ""
    return f"{{flags={open_flags(arch, opened)}{with_mode}, resolve={hex(resolve) if resolve else '0'}}}"


def clone_arguments(arch: str, data: bytes) -> str:
    """clone3(2)'s struct clone_args, as of its first version."""
    bits, _, child, parent, ends, stack, size, tls = struct.unpack("<8Q", data)
    parts = [f"flags={clone_flags(arch, bits, with_signal=False)}"]
    parts += [f"child_tid={child:#x}"] if child else []
    parts += [f"parent_tid={parent:#x}"] if parent else []
    parts += [f"exit_signal={signal(ends)}", f"stack={address(stack)}", f"stack_size={size:#x}"]
    parts += [f"tls={tls:#x}"] if tls else []
    return f"{{{', '.join(parts)}}}"


def socket_address(arch: str, data: bytes) -> str:
    """A struct sockaddr of the internet or of a path; of other families the bytes."""
    if len(data) < 2:
        return quoted(data)
    number = int.from_bytes(data[:2], "little")
    family = constants(arch, "address_family").get(number, str(number))
    if family == "AF_INET" and len(data) >= 8:
        port, host = int.from_bytes(data[2:4], "big"), ipaddress.IPv4Address(data[4:8])
        return f'{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{host}")}}'
    if family == "AF_INET6" and len(data) >= 24:
        port, host6 = int.from_bytes(data[2:4], "big"), ipaddress.IPv6Address(data[8:24])
        return f'{{sa_family=AF_INET6, sin6_port=htons({port}), sin6_addr="{host6}"}}'
    if family == "AF_UNIX":
        path = data[2:]
        # A name that begins with NUL is in no file system; strace marks it with an @.
        text = "@" + quoted(path[1:]) if path[:1] == b"\0" else quoted(path.partition(b"\0")[0])
        return f"{{sa_family=AF_UNIX, sun_path={text}}}" if path.strip(b"\0") else "{sa_family=AF_UNIX}"
    return f"{{sa_family={family}, sa_data={quoted(data[2:])}}}"


def word(value: int, c_type: str) -> str:
    """A number by its C type alone."""
    if c_type.endswith("*"):
        return address(value)
    unsigned = c_type.startswith(("unsigned", "u", "__u", "size_t"))
    wide = "long" in c_type or c_type in ("size_t", "loff_t", "off_t", "u64", "__u64", "aio_context_t")
    if c_type == "umode_t":
        return f"{value & 0xFFFF:#05o}".replace("0o", "0") if value & 0xFFFF else "000"
    if c_type == "unsigned long":
        return hex(value) if value else "0"
    size = 64 if wide else 32
    return str(value & ((1 << size) - 1) if unsigned else signed(value, size))
