"""What a program that must be rejected expects of the verifier."""

from __future__ import annotations

import pytest

from ebpf_lab.errors import CompileError, LabError, Mark, UsageProblem, VerifierRejected
from ebpf_lab.source.rejection import Rejection, Words, parse_rejection

TEXT = "int f(void *ctx)\n{\n    return ctx[9];  // <- rejected here  \n}\n"
REJECTION = Rejection((Words("bad access"), Words("bad read"), Words("no read", "6.1")), 3)


def error(what: str, *lines: int) -> VerifierRejected:
    return VerifierRejected(f"f: {what}", where=tuple(map(Mark, lines)))


def test_words_and_line() -> None:
    assert parse_rejection("bad access\nbad read \n6.1:  no read", TEXT) == REJECTION
    assert REJECTION.on("6.1.0-42-amd64") == ("no read",)
    assert REJECTION.on("6.18.5") == REJECTION.on("") == ("bad access", "bad read")
    # What looks like a version without being one is part of the words.
    assert parse_rejection("R1: bad", TEXT).words == (Words("R1: bad"),)


@pytest.mark.parametrize(
    ("words", "text", "what"),
    [
        ("", TEXT, "has no words"),
        ("bad", "int f;\n", "0 lines are marked"),
        ("bad", TEXT + TEXT, "2 lines are marked"),
    ],
)
def test_what_is_missing(words: str, text: str, what: str) -> None:
    with pytest.raises(UsageProblem, match=what):
        parse_rejection(words, text)


@pytest.mark.parametrize(
    ("said", "kernel", "failure"),
    [
        (error("R1 bad read off=72", 1, 3), "6.18.5", ""),
        (error("no read", 3), "6.1.0-42-amd64", ""),
        # An unmarked kernel may say what any other says; a marked one must say its own words.
        (error("no read", 3), "6.2.0", ""),
        (error("no read", 3), "6.18.5", ""),
        (error("bad read", 3), "6.1.0", "it is rejected with 'f: bad read', not 'no read'"),
        (
            error("new words", 3),
            "7.2",
            "it is rejected with 'f: new words', not 'bad access' or 'bad read' or 'no read'",
        ),
        (error("bad read", 3, 1), "6.18", "the error is about line 1, and line 3 is marked"),
        (error("bad read"), "6.18", "the error is about line 0, and line 3 is marked"),
        (None, "6.1", "it is accepted, not rejected with 'no read'"),
        (CompileError("bad read"), "6.18", "not the verifier refused it: CompileError: bad read"),
    ],
)
def test_whether_it_was_rejected_so(said: LabError | None, kernel: str, failure: str) -> None:
    assert REJECTION.failure(said, kernel) == failure


def test_what_newer_kernels_accept() -> None:
    rejection = parse_rejection("accepted\n6.1: bad read", TEXT)
    assert rejection.failure(None, "6.18") == ""
    assert rejection.failure(None, "6.1") == "it is accepted, not rejected with 'bad read'"
    assert rejection.failure(error("accepted", 3), "6.1") != ""
    assert rejection.failure(error("f was accepted", 3), "7.2") != ""
