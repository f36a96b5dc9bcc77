"""Which error a failure of bcc becomes."""

import errno
import os

import pytest

from ebpf_lab.backends import bcc_failure, bcc_package
from ebpf_lab.backends.bcc_process import LoadAnswer
from ebpf_lab.errors import AttachError, MissingFeature, MissingPrivilege, UsageProblem, VerifierRejected
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.spec import ProgramSpec

INCOMPLETE = """In file included from cell.c:1:
include/linux/bpf.h:368:10: error: invalid application of 'sizeof' to an incomplete type 'struct bpf_wq'
include/linux/bpf.h:368:24: note: forward declaration of 'struct bpf_wq'
include/linux/bpf.h:378:10: error: invalid application of 'sizeof' to an incomplete type 'struct bpf_rb_root'
include/linux/bpf.h:380:10: error: invalid application of 'sizeof' to an incomplete type 'struct bpf_wq'
"""


def spec_of(text: str, **options: dict[str, str]) -> ProgramSpec:
    return analyse(text, dialect="bcc", **options)


PROGRAM = "BPF_HASH(opens);\nint kprobe__do_exit(void *ctx) { return 0; }"


class TestHeaders:
    def test_structs_that_are_not_known_yet(self) -> None:
        assert bcc_failure.missing_structs(INCOMPLETE) == (
            "struct bpf_wq { __u64 opaque[2]; }; struct bpf_rb_root { __u64 opaque[2]; };"
        )

    def test_structs_of_the_learner_are_no_concern(self) -> None:
        assert bcc_failure.missing_structs("cell.c:3:1: error: incomplete type 'struct event'") == ""

    @pytest.mark.parametrize(
        ("log", "complaint"),
        [
            ("cell.c:3:1: error: unknown\ninclude/a.h:1:1: error: too\n", ""),
            ("<inline asm>:1:2: error: invalid register\n", ""),
            ("nothing of interest\n", ""),
            (INCOMPLETE, "include/linux/bpf.h:368: invalid application of 'sizeof' to an incomplete type"),
        ],
    )
    def test_the_first_error_counts(self, log: str, complaint: str) -> None:
        assert bcc_failure.in_headers(log).startswith(complaint)
        assert bool(bcc_failure.in_headers(log)) == bool(complaint)

    def test_the_way_out_is_named(self) -> None:
        error = bcc_package.too_old(bcc_package.Path("/no/bcc"), "include/a.h:1: wrong", "the log")
        assert isinstance(error, MissingFeature)
        assert "libbpf dialect" in error.hint
        assert (error.why, error.log) == ("include/a.h:1: wrong", "the log")


class TestMaps:
    def test_the_map_and_its_line(self) -> None:
        log = f"could not open bpf map: opens, error: {os.strerror(errno.E2BIG)}\n"
        error = bcc_failure.not_compiled(log, spec_of(PROGRAM))
        assert isinstance(error, UsageProblem)
        assert error.what == "map opens: the kernel refused to create it: Argument list too long"
        assert [mark.line for mark in error.where] == [1]

    def test_no_right_to_make_one(self) -> None:
        log = f"could not open bpf map: opens, error: {os.strerror(errno.EPERM)}\n"
        assert isinstance(bcc_failure.not_compiled(log, spec_of(PROGRAM)), MissingPrivilege)


class TestPrograms:
    def test_a_function_that_the_kernel_does_not_describe(self) -> None:
        spec = spec_of("KFUNC_PROBE(do_unlikat, int a) { return 0; }")
        answer = LoadAnswer(-1, errno.ESRCH, "bpf: do_unlikat is not found in vmlinux BTF\n")
        error = bcc_failure.not_verified(spec.programs[0], answer, spec)
        assert isinstance(error, AttachError)
        assert error.what == "fentry:do_unlikat: the kernel's BTF has no such function"

    def test_a_refusal_without_a_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bcc_failure, "require", lambda program: None)
        spec = spec_of(PROGRAM)
        error = bcc_failure.not_verified(spec.programs[0], LoadAnswer(-1, errno.EINVAL, ""), spec)
        assert isinstance(error, VerifierRejected)
        assert error.what == "kprobe__do_exit: Invalid argument"
        refused = bcc_failure.not_verified(spec.programs[0], LoadAnswer(-1, errno.EPERM, ""), spec)
        assert isinstance(refused, MissingPrivilege)

    @pytest.mark.parametrize(
        ("log", "hint"),
        [
            (
                "0: (85) call bpf_x#1\nR1 invalid mem access 'scalar'\nprocessed 1 insns\n",
                "bpf_probe_read_kernel()",
            ),
            (
                "0: (18) r1 = 0x0         ; R1=0\nR1 invalid mem access 'scalar'\nprocessed 1 insns\n",
                "BPF_ARRAY(",
            ),
            (
                "0: (95) exit\nUnreleased reference id=2 alloc_insn=0\nprocessed 1 insns\n",
                ".ringbuf_submit()",
            ),
            (
                "0: (95) exit\ncannot call GPL-restricted function from non-GPL\nprocessed 1 insns\n",
                "BPF_LICENSE",
            ),
            (
                "0: (95) exit\nBPF program is too large. Processed 1 insn\nprocessed 1 insns\n",
                "in the libbpf dialect",
            ),
        ],
    )
    def test_advice_is_in_bccs_words(self, log: str, hint: str) -> None:
        spec = spec_of(PROGRAM)
        error = bcc_failure.rejected(spec.programs[0], LoadAnswer(-1, errno.EACCES, log), log, (), spec)
        assert hint in error.hint
        assert "SEC(" not in error.hint


class TestUnsuitable:
    @pytest.mark.parametrize(
        ("text", "attach"),
        [
            ("KFUNC_PROBE(do_exit, long code) { return 0; }", {}),
            ("KRETFUNC_PROBE(do_exit, long code) { return 0; }", {}),
            ("LSM_PROBE(file_open, struct file *f) { return 0; }", {}),
            (
                "int kfunc__vmlinux__do_exit(void *ctx) { return 0; }",
                {"kfunc__vmlinux__do_exit": "fentry:do_exit"},
            ),
            (PROGRAM, {}),
            ("int mine(void *ctx) { return 0; }", {"mine": "profile:hz:49"}),
        ],
    )
    def test_what_it_can_load(self, text: str, attach: dict[str, str]) -> None:
        spec = spec_of(text, attach=attach)
        assert bcc_failure.unsuitable(spec.programs[0], spec) is None

    @pytest.mark.parametrize(
        "place", ["tp_btf:sched_switch", "fentry:do_exit", "fexit:do_exit", "lsm:file_open"]
    )
    def test_what_it_cannot(self, place: str) -> None:
        spec = spec_of("\nint mine(void *ctx) { return 0; }", attach={"mine": place})
        error = bcc_failure.unsuitable(spec.programs[0], spec)
        assert error is not None
        assert [mark.line for mark in error.where] == [2]
