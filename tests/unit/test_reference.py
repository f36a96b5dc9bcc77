"""The reference has something to say of every name that the lab's own programs use."""

from __future__ import annotations

import re

import pytest
from support.machine import ROOT

from ebpf_lab.notebook import reference
from ebpf_lab.notebook.reference import sections
from ebpf_lab.source.lexer import scan
from ebpf_lab.source.maps import BCC_MAP_MACROS
from ebpf_lab.source.snippets import folders, names

SNIPPETS = [path for folder in folders() for path in sorted((ROOT / "bpf_snippets" / folder).glob("*.c"))]
VERSION = re.compile(r"[3-9]\.\d+")


def words(kinds: str) -> set[str]:
    """Names in the snippets that match."""
    found = {
        token.text for path in SNIPPETS for token in scan(path.read_text()).tokens if token.kind == "name"
    }
    return {name for name in found if re.fullmatch(kinds, name)}


def test_snippets_are_read() -> None:
    assert len(SNIPPETS) == sum(len(names(folder)) for folder in folders()) > 60


def test_every_helper_has_a_signature_an_age_and_programs() -> None:
    helpers = reference.names("helper")
    assert len(helpers) >= 211
    for name in helpers:
        entry = reference.entry(name)
        assert entry is not None
        assert re.search(rf"\b{name}\(.*\)$", entry.signature), entry.signature
        assert VERSION.fullmatch(entry.since), name
        assert entry.programs, name


def test_helpers_that_are_used_have_a_paragraph_and_an_example() -> None:
    written = reference.written("helper")
    assert len(written) >= 100
    assert written.keys() <= set(reference.names("helper"))
    used = words(r"bpf_\w+") & set(reference.names("helper"))
    assert len(used) > 30
    assert used <= written.keys()


def test_macros_that_are_used_have_a_paragraph() -> None:
    used = words(r"(?:BPF|PT_REGS|BTF)_[A-Z][A-Z0-9_]*|[A-Z_]*TRACEPOINT_PROBE|SEC|bpf_printk|bpf_core_\w+")
    known = set(reference.names())
    own = {name for path in SNIPPETS for name in scan(path.read_text()).macros}
    assert len(used) > 30
    assert used - own - known <= {"BPF_TABLE_PUBLIC"}


@pytest.mark.parametrize("kind", reference.FILES)
def test_all_that_is_written_is_whole(kind: str) -> None:
    for name, section in reference.written(kind).items():
        assert 20 < len(section.text) < 700, name
        assert section.text[0].isupper(), name
        assert section.text[-1] in ".!", name
        assert name in reference.names(kind)
        if kind == "map type":
            assert VERSION.fullmatch(section.fields["since"]), name
        if kind == "program":
            assert section.fields.keys() == {"since", "signature", "context"}
            assert section.example
        if kind == "helper":
            assert section.example, name


def test_dialects_are_told_apart() -> None:
    bcc, libbpf = (set(reference.names("macro", dialect)) for dialect in ("bcc", "libbpf"))
    assert "BPF_HASH" in bcc - libbpf
    assert "BPF_CORE_READ" in libbpf - bcc
    assert "PT_REGS_PARM1" in bcc & libbpf
    assert bcc & BCC_MAP_MACROS > {"BPF_HASH", "BPF_ARRAY", "BPF_PERF_OUTPUT"}


def test_plain_text_and_html_say_the_same() -> None:
    entry = reference.entry("bpf_redirect_map")
    assert entry is not None
    assert entry.programs == "xdp"
    plain, html = entry.plain(), entry.html()
    for words in ("since", "Linux 4.14", "xdp", "XSKMAP"):
        assert words in plain
        assert words in html
    assert max(map(len, plain.splitlines())) < 110
    assert "&amp;ports" in html
    assert "&ports" in plain


def test_a_section_of_several_names_is_about_each() -> None:
    text = "# Title\n\n## a, b\nsince: 4.2\nIt is\nshort.\n```c program\nint x;\n```\n\n## c\nNone.\n"
    found = sections.read(text)
    assert found.keys() == {"a", "b", "c"}
    assert found["a"] == found["b"] == sections.Section({"since": "4.2"}, "It is short.", "int x;", "program")
    assert (found["c"].text, found["c"].example) == ("None.", "")
