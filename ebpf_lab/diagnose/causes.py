"""Causes in plain words for what compilers say most often.

A hint stands here only where a case in ``tests/data`` proves that it mends the error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ebpf_lab.diagnose import dialects
from ebpf_lab.diagnose.known import Known
from ebpf_lab.nearest import nearest, suggestion


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something failed, and what mends it ("" when that is not certain).

    Attributes
    ----------
    why, hint : str
    marked : str
        A pattern of what to mark in the line, in place of what the compiler marked; "" for that.
    """

    why: str = ""
    hint: str = ""
    marked: str = ""


@dataclass(frozen=True, slots=True)
class Complaint:
    """The first error of a text, with what tells how it came about.

    Attributes
    ----------
    message : str
        The compiler's words.
    line : str
        The line that it marks, "" for none.
    marked : str
        What it marks in it.
    number, column : int
        The line's number, and where in it the mark begins; 0 for none.
    earlier : tuple of str
        Files that hold what the error contradicts.
    text : str
        The learner's text.
    dialect, reason : str
        The dialect that the text was taken for, and what in it said so.
    known : Known
    """

    message: str
    line: str = ""
    marked: str = ""
    number: int = 0
    column: int = 0
    earlier: tuple[str, ...] = ()
    text: str = ""
    dialect: str = "libbpf"
    reason: str = ""
    known: Known = field(default_factory=Known)

    @property
    def in_libbpf(self) -> bool:
        """The text was taken for the libbpf dialect."""
        return self.dialect == "libbpf"

    def statement(self, pattern: str, new: str) -> str:
        """The marked line with a part of it replaced, for a hint; "" where the part is not in it once."""
        made, changes = re.subn(pattern, new, self.line.strip())
        return made if changes == 1 else ""


def of_compile_error(complaint: Complaint) -> Cause:
    """The cause of a compiler error; an empty one where it is not known."""
    if found := dialects.mistaken(
        complaint.line, complaint.message, complaint.text, complaint.dialect, complaint.reason
    ):
        return Cause(*found)
    for pattern, cause in _RULES:
        match = pattern.search(complaint.message)
        made = cause(complaint, match) if match else None
        if made is not None:
            return made
    return Cause()


_Rule = Callable[[Complaint, re.Match[str]], Cause | None]


def _say(why: str, hint: str = "", marked: str = "") -> _Rule:
    return lambda complaint, match: Cause(why, hint, marked)


# What programs outside the kernel would call, and what to call here.
_INSTEAD = {
    **dict.fromkeys(("printf", "puts"), "bpf_printk"),
    **{name: f"__builtin_{name}" for name in ("memcpy", "memset", "memmove", "memcmp")},
    "getpid": "bpf_get_current_pid_tgid",
    "time": "bpf_ktime_get_ns",
    "rand": "bpf_get_prandom_u32",
}
_NO_LIBRARY = (
    "there is no C library in the kernel: a program calls BPF helpers, and functions of its own text"
)


def _unknown_function(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    name = match["name"]
    if name in _INSTEAD:
        return Cause(_NO_LIBRARY, _called_instead(complaint, name))
    if name in ("strcmp", "strncmp"):
        return Cause(_NO_LIBRARY, _compared(complaint) if complaint.in_libbpf else "")
    own = re.findall(r"^[\w *]*?\b(\w+)\([^;{]*\)\s*\{", complaint.text, re.MULTILINE)
    near = nearest(name, {*complaint.known.helpers(), *own})
    if complaint.known.is_kernel_function(name):
        return Cause(
            f"{name} is a function of the kernel and no BPF helper; a program calls such only where the"
            " kernel offers them (kfuncs), declared extern … __ksym"
        )
    if near:
        what = "no BPF helper" if name.startswith("bpf_") else "no BPF helper, and no function of this text,"
        return Cause(f"{what} is called {name}", suggestion(name, near))
    return Cause(_NO_LIBRARY)


def _called_instead(complaint: Complaint, name: str) -> str:
    instead = _INSTEAD[name]
    if not complaint.in_libbpf:
        instead = instead.replace("bpf_printk", "bpf_trace_printk")
    made = complaint.statement(rf"\b{name}\s*\(", f"{instead}(")
    # A line of bpf_printk ends by itself.
    return (made.replace('\\n"', '"') if "printk" in instead else made) or f"{instead}()"


def _compared(complaint: Complaint) -> str:
    """The line with ``strcmp(a, "text")`` as the helper that compares with a constant text."""
    call = re.search(r'\bstrn?cmp\s*\(\s*(?P<text>[\w.>-]+)\s*,\s*(?P<with>"[^"]*")[^()]*\)', complaint.line)
    if not call:
        return ""
    helper = f"bpf_strncmp({call['text']}, sizeof({call['text']}), {call['with']})"
    return complaint.line.strip().replace(call[0], helper)


def _in_bcc(hint: str) -> str:
    return hint.replace("bpf_printk", "bpf_trace_printk")


def _unknown_type(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    name, known = match["name"], complaint.known
    spelled = re.escape(name)
    if complaint.in_libbpf and not known.kernel_types:
        if name in known.types():
            include = re.search(r'#\s*include\s*[<"](linux/[^>"]*)', complaint.text)
            instead = f" in place of <{include[1]}>" if include else ""
            return Cause(
                "vmlinux.h has every type of this kernel, and it is left out where a text includes linux/*.h",
                f'#include "vmlinux.h"{instead}',
                spelled,
            )
    elif not complaint.in_libbpf and (header := known.header_of(name)):
        return Cause(f"no header that the text includes has {name}", f"#include <{header}>", spelled)
    types = known.types()
    if not types or name in types:
        return None
    kind, _, plain = name.rpartition(" ")
    of_kind = [other for other in types if other.rpartition(" ")[0] == kind]
    where = "this kernel" if complaint.in_libbpf else "no kernel header"
    why = f"{where} has {'no ' if complaint.in_libbpf else ''}{kind or 'type'} {plain}"
    return Cause(why, suggestion(name, of_kind), spelled)


def _unknown_member(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    members = complaint.known.members(match["type"])
    if not members:
        return None
    why = f"this kernel's {match['type']} has no {match['name']}: structs change from one kernel to another"
    return Cause(why, suggestion(match["name"], members), rf"\b{match['name']}\b")


def _undeclared(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    name = match["name"]
    if name in _PYTHON:
        return Cause(f"{name} is Python's", f"in C: {_PYTHON[name]}")
    if name == "args" and not complaint.in_libbpf:
        return Cause("args exists in TRACEPOINT_PROBE(…) alone; other functions have what they declare")
    if name == "ctx" and not complaint.in_libbpf and "TRACEPOINT_PROBE" in complaint.text:
        return Cause("TRACEPOINT_PROBE(…) calls its parameter args, not ctx", "args")
    if value := complaint.known.macro(name):
        why = f"{name} is a macro; vmlinux.h has types and enumerations only, and no macros"
        if not complaint.in_libbpf:
            why = f"no header that the text includes has the macro {name}"
        return Cause(why, f"#define {name} {value}")
    return None


_PYTHON = {"None": "NULL", "True": "true or 1", "False": "false or 0", "self": "nothing"}


def _semicolon(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    line = complaint.line.rstrip()
    before, behind = line, ""
    if complaint.column:
        before = line[: complaint.column - 1]
        behind = re.sub(r"//.*|/\*.*?\*/", "", line[complaint.column - 1 :]).strip()
    if behind.startswith("=") and "declaration list" in complaint.message:
        return Cause("a struct's members are given no values: is a struct above not closed with };")
    # clang says so, too, where an operator or the bracket of a function is amiss.
    if behind or re.match(r"\s*\{", "\n".join(complaint.text.splitlines()[complaint.number :])):
        return None
    return Cause("a statement, and a declaration, ends with ;", f"{before.strip()};" if line else "")


def _not_a_pointer(complaint: Complaint, match: re.Match[str]) -> Cause:
    owner = re.search(r"(\w+)->", complaint.line)
    what = owner[1] if owner and complaint.line.count("->") == 1 else "this"
    return Cause(f"{what} is a structure itself, and no pointer to one", complaint.statement(r"->", "."))


def _a_pointer(complaint: Complaint, match: re.Match[str]) -> Cause:
    wrong = re.findall(r"\b([A-Za-z_]\w*)\.(?=[A-Za-z_])", complaint.line)
    if len(wrong) != 1:
        return Cause("this is a pointer to a structure")
    return Cause(
        f"{wrong[0]} is a pointer to a structure",
        complaint.statement(rf"\b{wrong[0]}\.(?=[A-Za-z_])", f"{wrong[0]}->"),
    )


_LIBC_HEADERS = {
    "stdio.h": "bpf_printk() prints, and is there without any header",
    "string.h": "__builtin_memcpy() and its like need no header",
    "stdint.h": "u8 to u64 and s8 to s64 are there without any header",
    "inttypes.h": "u8 to u64 and s8 to s64 are there without any header",
    "sys/types.h": "types are there without any header",
}
_LIBC = re.compile(
    r"(?:assert|ctype|dirent|errno|fcntl|inttypes|limits|locale|math|netdb|poll|pthread|pwd|signal|stdint"
    r"|stdio|stdlib|string|strings|syslog|termios|time|unistd|wchar|(?:arpa|net|netinet|sys)/\w+)\.h"
)
_INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)')


def _header(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    included = _INCLUDE.match(complaint.line)
    if not included:
        return None
    name = included[1]
    if _LIBC.fullmatch(name):
        hint = "drop this line"
        if name in _LIBC_HEADERS:
            hint += ": " + _LIBC_HEADERS[name]
        why = f"{name} belongs to the C library, which programs in the kernel do not have"
        return Cause(why, hint if complaint.in_libbpf else _in_bcc(hint))
    if (
        complaint.in_libbpf
        and name.startswith(("linux/", "asm/", "uapi/", "net/"))
        and (re.search(r'^\s*#\s*include\s*[<"]vmlinux\.h', complaint.text, re.MULTILINE))
    ):
        if "file not found" in complaint.message:
            return None
        return Cause(
            f"vmlinux.h has every type of this kernel, and {name} defines them again", "drop this line"
        )
    return None


def _defined_twice(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    if any(file.endswith("/vmlinux.h") for file in complaint.earlier):
        return Cause(
            "vmlinux.h, which has every type of this kernel, has one of this name too",
            "give yours another name",
        )
    return None


_FORMAT_IS_TEXT = "the format must be text in double quotes, right in the call"


def _format(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    call = re.search(r"\b(bpf_printk|bpf_trace_printk)\s*\(\s*(?P<format>[^\s,)]+)", complaint.line)
    if not call:
        return None
    if call["format"].startswith("'"):
        return Cause(
            "single quotes hold one character",
            complaint.statement(r"'([^']*)'", r'"\1"'),
            re.escape(call["format"]),
        )
    return Cause(_FORMAT_IS_TEXT, f'{call[1]}("%s", {call["format"]});', rf"\b{re.escape(call['format'])}\b")


def _too_many_values(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    if not re.search(r"\bbpf_printk\b", complaint.line):
        return None
    return Cause("bpf_printk takes 12 values at most", "print them in two lines")


def _address(complaint: Complaint, match: re.Match[str]) -> Cause | None:
    word = complaint.marked
    if not word.isidentifier():
        return None
    return Cause(
        f"the helper wants a pointer to it, and {word} is the value itself",
        complaint.statement(rf"(?<![&\w.>]){word}\b", f"&{word}"),
    )


def _array_assigned(complaint: Complaint, match: re.Match[str]) -> Cause:
    made = re.match(r'\s*(?P<array>[\w.>\[\]-]+)\s*=\s*(?P<text>"[^"]*")\s*;', complaint.line)
    hint = f"__builtin_memcpy({made['array']}, {made['text']}, sizeof({made['text']}));" if made else ""
    return Cause("C does not copy into an array with =", hint)


def _not_static(complaint: Complaint, match: re.Match[str]) -> Cause:
    name = re.escape(complaint.marked or "?")
    defined = re.search(rf"^[ \t]*((?!static)[\w *]+\b{name}\([^;{{]*\))\s*\{{", complaint.text, re.MULTILINE)
    if defined:
        return Cause(
            "bcc takes every function that is not static for a program of its own, which nothing can call",
            f"static inline {' '.join(defined[1].split())}",
        )
    return Cause(f"{complaint.marked} is declared, and the text does not define it", "write its body, too")


def _library_call(complaint: Complaint, match: re.Match[str]) -> Cause:
    return Cause(
        "BPF has no C library: memset, memcpy and memcmp work only with a size that the compiler knows"
    )


def _directive(complaint: Complaint, match: re.Match[str]) -> Cause:
    return Cause("# begins a directive in C; a comment begins with //", complaint.statement(r"#", "//"))


def _string_compared(complaint: Complaint, match: re.Match[str]) -> Cause:
    made = re.search(r'(\w[\w.>-]*)\s*(==|!=)\s*("[^"]*")', complaint.line)
    why = "== compares where two texts are, and not what they say"
    if not made or not complaint.in_libbpf:
        return Cause(why)
    call = f"bpf_strncmp({made[1]}, sizeof({made[1]}), {made[3]}) {made[2]} 0"
    return Cause(why, complaint.statement(re.escape(made[0]), call.replace("\\", r"\\\\")))


_RULES: tuple[tuple[re.Pattern[str], _Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"", _header),
        (r"no member named '(?P<name>\w+)' in '(?P<type>(?:struct|union) \w+)'$", _unknown_member),
        (
            r"BPF stack limit|stack size .* exceeds|stack frame size",
            _say(
                "a BPF program has 512 bytes of stack for all its local variables",
                "keep large data in the ring buffer record or in a one-element BPF_MAP_TYPE_PERCPU_ARRAY",
            ),
        ),
        (
            r"built-in function '__(?:float|fix|add|sub|mul|div|ext|trunc|eq|ne|lt|le|gt|ge|un)\w*[sdt]f\w*'",
            _say(
                "BPF has no floating-point numbers",
                "count in integers, and divide later, in the DataFrame",
                r"\b(?:double|float)\b|\b\d+\.\d*f?|\.\d+f?\b",
            ),
        ),
        (r"built-in function 'mem\w+'", _library_call),
        (
            r"too many args to",
            _say(
                "a helper takes five arguments; the format of bpf_trace_printk is two,"
                " which leaves three values",
                "print them in two lines",
                r"\bbpf_trace_printk\b",
            ),
        ),
        (
            r"[Uu]nsupport(?:ed)? signed division",
            _say(
                "BPF divides only unsigned numbers",
                "make both sides unsigned, as in (u64)a / (u64)b",
                r"[/%](?!/)",
            ),
        ),
        (
            r"^license changed binding to STB_GLOBAL",
            _say(
                "a variable cannot have the name of the section that it is in",
                'char LICENSE[] SEC("license") = "GPL";',
            ),
        ),
        (
            r"(?:implicit declaration of|call to undeclared|implicitly declaring)(?: library)? function "
            r"'(?P<name>\w+)'",
            _unknown_function,
        ),
        (r"cannot call non-static helper", _not_static),
        (
            r"(?:incomplete definition of type|incomplete type|unknown type name) "
            r"'(?:const )?(?P<name>[\w ]+?)(?: \*)?'",
            _unknown_type,
        ),
        (r"undeclared identifier '(?P<name>\w+)'", _undeclared),
        (r"expected ';'", _semicolon),
        (r"is not a pointer; did you mean to use '\.'", _not_a_pointer),
        (r"is a pointer; did you mean to use '->'", _a_pointer),
        (r"(?:typedef )?redefinition of|conflicting types for", _defined_twice),
        (r"array initializer must be an initializer list|to parameter of type 'const char \*'", _format),
        (r"called object type 'int' is not a function", _too_many_values),
        (r"incompatible integer to pointer conversion passing|take the address with &", _address),
        (r"passing 'struct .*to parameter of incompatible type '(?:const )?void \*'", _address),
        (r"array type '.*' is not assignable", _array_assigned),
        (r"comparison against a string literal", _string_compared),
        (r"invalid preprocessing directive", _directive),
        (
            r"unterminated function-like macro invocation|expected '\)'",
            _say("a bracket ( is opened and never closed"),
        ),
        (
            r"expected '}'|expected function body|function definition is not allowed here",
            _say("a brace { is opened and never closed"),
        ),
    )
)
