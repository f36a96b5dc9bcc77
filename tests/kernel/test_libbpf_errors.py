"""What goes wrong with a libbpf text, and how the learner hears of it."""

from __future__ import annotations

import ctypes
import errno
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.programs import run

from ebpf_lab.backends import cache, clang, libbpf_api, libbpf_object, refused, vmlinux
from ebpf_lab.backends.common import BuildOptions
from ebpf_lab.backends.libbpf import build
from ebpf_lab.backends.loaded import Loaded
from ebpf_lab.errors import (
    AttachError,
    CompileError,
    LabError,
    MissingFeature,
    UsageProblem,
    VerifierRejected,
)
from ebpf_lab.host import kernel
from ebpf_lab.source.analyse import analyse

pytestmark = pytest.mark.needs("libbpf", "clang", "btf")

CASES = Path(__file__).parent.parent / "data"
# A walk of a million instructions takes minutes in an emulated machine; its logs are recorded.
REJECTED = sorted(path for path in (CASES / "verifier").glob("*.c") if path.stem != "long_loop")
MINIMAL = 'SEC("raw_tp/sys_enter") int produce(u64 *ctx) { return 0; }\n'


def load(text: str, settings: Mapping[str, str] | None = None, *, use_cache: bool = True) -> Loaded:
    return build(analyse(text, dialect="libbpf", settings=settings), BuildOptions(cache=use_cache)).load({})


def error_of(text: str, settings: Mapping[str, str] | None = None) -> LabError:
    with pytest.raises(LabError) as caught:
        load(text, settings).close()
    return caught.value


def header(text: str, key: str) -> str:
    match = re.search(rf"^// {key}: +(.*)$", text, re.MULTILINE)
    return match[1] if match else ""


def test_warnings_come_with_what_was_loaded_from_the_cache_too() -> None:
    text = MINIMAL.replace("return 0;", "u32 n = 7; n == 7; return 0;")
    for _ in range(2):
        loaded = load(text)
        loaded.close()
        (mark,) = loaded.warnings
        assert (mark.line, mark.text[mark.column - 1 :][: mark.length]) == (1, "== 7")
        assert (mark.severity, mark.note) == ("warning", "equality comparison result unused")
    assert loaded.cached
    loaded = load(MINIMAL)
    loaded.close()
    assert loaded.warnings == ()


@pytest.mark.parametrize("path", REJECTED, ids=lambda path: path.stem)
def test_a_rejected_program(path: Path) -> None:
    text = path.read_text()
    error = error_of(text)
    assert isinstance(error, VerifierRejected)
    assert re.fullmatch(rf"\w+: ({header(text, 'reject')})", error.what)
    assert error.where[-1].line == int(header(text, "line"))
    assert error.where[-1].column > 0
    assert error.hint == header(text, "fix")
    assert "lab_loss" not in error.log


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("null_map_value", "    *count += 1;", "    if (!count) return 0;\n    *count += 1;"),
        ("null_ringbuf", "    event->pid", "    if (!event) return 0;\n    event->pid"),
        ("in_subprogram", "    return *slot;", "    if (!slot) return 0;\n    return *slot;"),
        (
            "scalar_access",
            "return path[0] ==",
            "char first;\n    bpf_probe_read_user(&first, 1, path);\n    return first ==",
        ),
        (
            "unbounded_size",
            "long size = ctx->args[2];",
            "u64 size = ctx->args[2];\n    if (size > 64) return 0;",
        ),
        (
            "unreleased",
            "== 1)\n        return 0;",
            "== 1) {\n        bpf_ringbuf_discard(event, 0);\n        return 0;\n    }",
        ),
        ("sleepable_helper", "uprobe/", "uprobe.s/"),
        ("gpl_only", '"Proprietary"', '"GPL"'),
        ("long_loop", "10000000", "100"),
    ],
)
def test_the_fix_mends_it(name: str, old: str, new: str) -> None:
    text = (CASES / "verifier" / f"{name}.c").read_text()
    assert old in text
    load(text.replace(old, new)).close()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stack_limit", "    char path[600];", "    static char path[600];"),
        ("floating_point", "ctx[1] * 0.5", "ctx[1] / 2"),
        ("signed_division", "(s64)ctx[0] / (s64)ctx[1]", "(u64)ctx[0] / (u64)ctx[1]"),
        ("taken_name", "struct key", "struct my_key"),
        ("section_name_taken", "char license[]", "char LICENSE[]"),
    ],
)
def test_the_fix_mends_what_does_not_compile(name: str, old: str, new: str) -> None:
    text = (CASES / "clang" / f"{name}.c").read_text()
    assert isinstance(error_of(text), CompileError)
    assert old in text
    load(text.replace(old, new)).close()


@pytest.mark.parametrize(
    ("types", "read", "why"),
    [
        (
            "struct task_struct___o { long state; };",
            "struct task_struct___o *task = (void *)bpf_get_current_task();"
            " return BPF_CORE_READ(task, state);",
            "struct task_struct of this kernel has no field state; it has __state",
        ),
        (
            "struct sched_entity___o { u64 vruntme; };"
            " struct task_struct___o { struct sched_entity___o se; };",
            "struct task_struct___o *task = (void *)bpf_get_current_task();"
            " return BPF_CORE_READ(task, se.vruntme);",
            "struct task_struct's se of this kernel has no field vruntme; it has vruntime",
        ),
        (
            "struct pid___o { struct pid *level; };",
            "struct pid___o *pid = (void *)ctx[0]; return (long)BPF_CORE_READ(pid, level);",
            "level is of another type in struct pid of this kernel",
        ),
        (
            "struct no_such_struct___o { int field; };",
            "struct no_such_struct___o *none = (void *)ctx[0]; return BPF_CORE_READ(none, field);",
            "this kernel has no struct no_such_struct",
        ),
        (
            "enum bpf_map_type___o { BPF_MAP_TYPE_NONE_SUCH = 4000 };",
            "return bpf_core_enum_value(enum bpf_map_type___o, BPF_MAP_TYPE_NONE_SUCH);",
            "enum bpf_map_type of this kernel has no BPF_MAP_TYPE_NONE_SUCH",
        ),
    ],
    ids=["name", "inner", "type", "struct", "enumerator"],
)
def test_what_this_kernels_types_lack(types: str, read: str, why: str) -> None:
    text = (
        '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n'
        "#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n"
        f"{types}\n#pragma clang attribute pop\n"
        f'SEC("raw_tp/sys_enter")\nint produce(u64 *ctx)\n{{\n    {read}\n}}\n'
    )
    error = error_of(text)
    assert isinstance(error, VerifierRejected)
    assert error.rule == "relocation"
    assert error.why.startswith(why)
    assert error.where[-1].line == 10


def test_a_log_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (CASES / "verifier" / "stack_bounds.c").read_text()
    monkeypatch.setattr(libbpf_object, "LOG_SIZE", 1000)
    assert re.fullmatch(rf"pick: {header(text, 'reject')}", error_of(text).what)


@pytest.mark.parametrize(
    ("settings", "what", "why", "hint"),
    [
        ({"limt": "1"}, "has no global variable limt", "it has limit and name", "did you mean limit?"),
        ({"produce": "1"}, "has no global variable produce", "", "const volatile int produce"),
        ({"limit": "many"}, "'many' is no integer", "", ""),
        ({"limit": "256"}, "256 does not fit", "holds 0 to 255", ""),
        ({"limit": "-1"}, "-1 does not fit", "", ""),
        ({"name": "12345678"}, "too long", "holds 7", ""),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, str], what: str, why: str, hint: str) -> None:
    text = (
        "#define limt 1\nconst volatile u8 limit; const volatile char name[8];"
        'SEC("raw_tp/sys_enter") int produce(u64 *ctx) { return limit + name[1]; }'
    )
    error = error_of(text, settings)
    assert isinstance(error, UsageProblem)
    assert what in error.what
    assert why in error.why
    assert hint in error.hint


def test_settings_of_other_kinds() -> None:
    text = """
    enum mode { QUIET, LOUD } ;
    const volatile enum mode mode; const volatile bool on; const int fixed = 3;
    struct { int x; } pair;
    SEC("raw_tp/sys_enter") int produce(u64 *ctx)
    { return mode + on + pair.x + *(volatile int *)&fixed; }
    """
    assert error_of(text, {"mode": "LOUDER"}).hint == "did you mean LOUD?"
    assert "is no boolean" in error_of(text, {"on": "maybe"}).what
    assert "holds 0 to 1" in error_of(text, {"on": "2"}).why
    assert "cannot be set" in error_of(text, {"pair": "1"}).what
    assert error_of(text, {"fixed": "4"}).hint == "declare it const volatile"
    assert error_of(MINIMAL, {"produce": "1"}).why == "it has no global variables"


def test_a_map_that_the_kernel_refuses() -> None:
    text = """
    struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 0);
             __type(key, u32); __type(value, u32); } counts SEC(".maps");
    SEC("raw_tp/sys_enter") int produce(u64 *ctx) { return bpf_map_delete_elem(&counts, &(u32){0}); }
    """
    error = error_of(text)
    assert isinstance(error, UsageProblem)
    assert error.what == "map counts: the kernel refused to create it: Invalid argument"
    assert error.where


def test_a_map_that_libbpf_refuses() -> None:
    text = """
    struct bpf_map_def { unsigned int type; } old SEC("maps") = { 1 };
    SEC("raw_tp/sys_enter") int produce(u64 *ctx) { bpf_map_delete_elem(&old, ctx); return 0; }
    """
    error = error_of(text)
    assert isinstance(error, CompileError)
    assert "legacy map definitions" in error.what


def test_a_kernel_function_that_is_not_there() -> None:
    text = """
    extern int no_such_kernel_function(int number) __ksym;
    SEC("raw_tp/sys_enter") int produce(u64 *ctx) { return no_such_kernel_function(1); }
    """
    error = error_of(text)
    assert isinstance(error, MissingFeature)
    assert "no_such_kernel_function" in error.what
    (mark,) = error.where
    assert mark.text[mark.column - 1 :][: mark.length] == "no_such_kernel_function"


def test_a_build_option_that_is_misspelt() -> None:
    text = "extern int CONFIG_HZZ __kconfig;\n" + MINIMAL.replace("return 0", "return CONFIG_HZZ")
    error = error_of(text)
    assert isinstance(error, MissingFeature)
    (mark,) = error.where
    assert (mark.line, mark.text[mark.column - 1 :][: mark.length]) == (1, "CONFIG_HZZ")
    if kernel.options():
        assert error.why == "this kernel was built without CONFIG_HZZ"
        assert error.hint == "did you mean CONFIG_HZ? __kconfig __weak makes it 0 where it is not set"
    else:
        assert error.why.startswith("this kernel's configuration is not published")


def test_a_build_option_that_is_not_set() -> None:
    option = next((each for each in sorted(kernel.options()) if kernel.lacks(each)), "CONFIG_NONE")
    text = f"extern _Bool {option} __kconfig;\n" + MINIMAL.replace("return 0", f"return {option}")
    error = error_of(text)
    assert isinstance(error, MissingFeature)
    if kernel.options():
        assert (error.why, error.hint) == (
            f"this kernel was built without {option}",
            "__kconfig __weak makes it 0 where it is not set",
        )
        load(text.replace("__kconfig", "__kconfig __weak")).close()


def test_build_options_where_none_are_published() -> None:
    text = "extern int CONFIG_HZ __kconfig;\n" + MINIMAL
    said = "libbpf: failed to open system Kconfig\nlibbpf: failed to load object 'lab'\n"
    error = refused.refusal(
        libbpf_object.LoadFailed(errno.ENOENT, said), analyse(text, dialect="libbpf"), b""
    )
    assert isinstance(error, MissingFeature)
    assert (error.what, error.where[0].line) == ("failed to open system Kconfig", 1)
    assert error.why.startswith("this kernel's configuration is not published")


def test_a_tracepoint_that_btf_does_not_have() -> None:
    error = error_of('SEC("tp_btf/no_such_tracepoint") int produce(u64 *ctx) { return 0; }')
    assert isinstance(error, AttachError)
    assert error.what == "tp_btf:no_such_tracepoint: the kernel's BTF has no such tracepoint"


@pytest.mark.needs("fentry")
def test_a_function_that_btf_does_not_have() -> None:
    error = error_of('SEC("fentry/no_such_function") int produce(u64 *ctx) { return 0; }')
    assert isinstance(error, AttachError)
    assert error.what == "fentry:no_such_function: the kernel's BTF has no such function"


@pytest.mark.needs("!fentry")
def test_a_kind_of_program_that_this_kernel_lacks() -> None:
    error = error_of('SEC("fentry/do_unlinkat") int produce(u64 *ctx) { return 0; }')
    assert isinstance(error, MissingFeature)
    assert "fentry" in error.what


def test_without_privileges() -> None:
    script = f"""
import sys; sys.path[:0] = {sys.path!r}
from ebpf_lab.errors import MissingPrivilege
from ebpf_lab.backends.common import BuildOptions
from ebpf_lab.backends.libbpf import build
from ebpf_lab.host import kernel
from ebpf_lab.source.analyse import analyse
try:
    build(analyse({MINIMAL!r}), BuildOptions()).load({{}})
except MissingPrivilege as error:
    print(error.block())
"""
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
         sys.executable, "-c", script],
        capture_output=True, text=True, env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}, check=False,
    )  # fmt: skip
    assert "MissingPrivilege: may not load BPF programs" in done.stdout, done.stderr
    assert "CAP_BPF" in done.stdout


@pytest.mark.parametrize("end", ["/* open", "#if 1", "int open(void) {", 'char *open = "', "\\"])
def test_a_text_that_does_not_end(end: str) -> None:
    text = MINIMAL + end
    if end == "\\":
        load(text).close()
        return
    error = error_of(text)
    assert isinstance(error, CompileError)
    # The lines that the lab compiles behind the text must not show.
    assert "lab" not in error.log
    assert all(mark.line <= 2 for mark in error.where)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache, and nothing remembered of this machine."""
    remembered = (
        cache.root,
        cache._temporary,
        clang._clang,
        clang._headers_identity,
        libbpf_api.library,
        vmlinux.identity,
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for function in remembered:
        function.cache_clear()
    yield tmp_path / "ebpf-lab"
    for function in remembered:
        function.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_no_clang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    error = error_of(MINIMAL)
    assert isinstance(error, MissingFeature)
    assert error.hint == "sudo apt install clang"


@pytest.mark.usefixtures("fresh")
def test_only_a_clang_with_a_version_in_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    found = shutil.which("clang")
    assert found
    (tmp_path / "bin" / "clang-19").symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    load(MINIMAL).close()


@pytest.mark.usefixtures("fresh")
def test_no_libbpf(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ctypes.CDLL

    def without(name: str | None, *arguments: object, **named: object) -> ctypes.CDLL:
        if name == "libbpf.so.1":
            raise OSError("libbpf.so.1: cannot open shared object file: No such file or directory")
        return real(name, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ctypes, "CDLL", without)
    error = error_of(MINIMAL)
    assert isinstance(error, MissingFeature)
    assert error.hint.startswith("sudo apt install libbpf1")


@pytest.mark.usefixtures("fresh")
def test_no_headers_of_libbpf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clang, "_LIBBPF_HEADERS", (Path("/nonexistent"),))
    error = error_of(MINIMAL)
    assert isinstance(error, MissingFeature)
    assert error.hint == "sudo apt install libbpf-dev"


@pytest.mark.usefixtures("fresh")
def test_no_btf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vmlinux, "KERNEL_BTF", Path("/nonexistent"))
    error = error_of(MINIMAL)
    assert isinstance(error, MissingFeature)
    assert "CONFIG_DEBUG_INFO_BTF" in error.why
    # Without kernel types no BTF of the kernel is needed.
    load("#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n" + MINIMAL.replace("u64", "__u64")).close()


def test_a_damaged_cache_is_made_anew(fresh: Path) -> None:
    load(MINIMAL).close()
    (stored,) = (fresh / "objects").iterdir()
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    loaded = load(MINIMAL)
    assert not loaded.cached
    loaded.close()
    (headers,) = (fresh / "pch").glob("*/headers.pch")
    headers.write_bytes(b"nonsense")
    for _ in range(2):
        loaded = load(MINIMAL, use_cache=False)
        assert run(loaded, 0) == 0
        loaded.close()
    assert headers.stat().st_size > 1_000_000


def test_a_cache_that_others_could_write_to_is_not_used(fresh: Path) -> None:
    fresh.mkdir(mode=0o777)
    fresh.chmod(0o777)
    load(MINIMAL).close()
    assert list(fresh.iterdir()) == []
