"""The functions that read a USDT probe's arguments for bcc."""

import pytest

from ebpf_lab.backends import bcc_usdt
from ebpf_lab.backends.bcc_usdt import readers, sites
from ebpf_lab.errors import UsageProblem
from ebpf_lab.host.usdt import UsdtSite
from ebpf_lab.source.analyse import analyse

TEXT = """
int mine(struct pt_regs *ctx)
{
    u64 a = 0, b = 0;
    bpf_usdt_readarg(1, ctx, &a);
    bpf_usdt_readarg_p( 2, ctx, &b, 8);
    return 0;
}
"""


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The argument strings of the probe's places."""
    strings: list[str] = []

    def find(binary: str, provider: str, name: str) -> list[UsdtSite]:
        return [
            UsdtSite(f"/bin/{binary}", provider, name, 16 * at, 8, text, 16 * at)
            for at, text in enumerate(strings)
        ]

    monkeypatch.setattr(bcc_usdt.usdt, "find", find)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return strings


def made(text: str = TEXT) -> list[str]:
    spec = analyse(text, dialect="bcc", attach={"mine": "usdt:app:lab:step"})
    return readers(spec, {"mine": "renamed"}).splitlines()


def test_one_place_reads_it_directly(notes: list[str]) -> None:
    notes.append("-4@%edi 8@-24(%rbp)")
    first, second = made()
    assert first.startswith("static __always_inline int _bpf_readarg_renamed_1(void *ctx,")
    assert "value = (s32)*(u64 *)((char *)ctx + 112);" in first
    assert "(void *)(*(u64 *)((char *)ctx + 32) + (-24LL))" in second
    assert "u64 lab_copy" in second
    assert "cookie" not in first + second


def test_places_that_differ_are_told_by_the_cookie(notes: list[str]) -> None:
    notes += ["-4@%edi 8@$-7", "-4@%edi"]
    first, second = made()
    assert "cookie" not in first
    assert "case 0: value = -7LL; break; case 1: return -1; break; default: return -1;" in second


def test_where_they_are_attached(notes: list[str]) -> None:
    notes += ["4@%edi", "4@%esi"]
    spec = analyse(TEXT, dialect="bcc", attach={"mine": "usdt:app:lab:step"})
    assert [(site.offset, site.semaphore, site.cookie) for site in sites(spec.programs[0])] == [
        (0, 8, 0),
        (16, 8, 1),
    ]


@pytest.mark.parametrize(("count", "line"), [(0, 5), (1, 6)])
def test_a_number_too_high(notes: list[str], count: int, line: int) -> None:
    notes.append(" ".join(["4@%edi"] * count))
    with pytest.raises(UsageProblem, match="has no argument") as raised:
        made()
    assert [mark.line for mark in raised.value.where] == [line]


def test_a_text_that_reads_none_gets_none(notes: list[str]) -> None:
    notes.append("4@%edi")
    assert made("int mine(void *ctx) { return 0; }") == []


def test_other_probes_have_no_places() -> None:
    spec = analyse("int kprobe__do_exit(void *ctx) { return 0; }", dialect="bcc")
    assert sites(spec.programs[0]) == ()
