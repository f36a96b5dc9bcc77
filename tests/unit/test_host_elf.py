"""Symbols, addresses and USDT notes of ELF files made by hand."""

from pathlib import Path

import pytest
from support import elf_image
from support.elf_image import CODE, CODE_ADDRESS, DATA, DATA_ADDRESS, Sym, note

from ebpf_lab.errors import AttachError
from ebpf_lab.host import instructions, usdt, userprobes
from ebpf_lab.host.elf import Elf, open_elf
from ebpf_lab.source.probe import Probe


@pytest.fixture(autouse=True)
def fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files hold no code to disassemble: take the instructions to be 4 bytes each, as on arm64."""
    monkeypatch.setattr(instructions, "_begins", lambda elf, first, last: list(range(first, last + 1, 4)))


def written(path: Path, image: bytes) -> str:
    path.write_bytes(image)
    return str(path)


@pytest.fixture
def library(tmp_path: Path) -> str:
    """A bit of everything: versions, an IFUNC, data, imports, static twins, a label without type."""
    return written(
        tmp_path / "libmade.so",
        elf_image.build(
            dynamic=[
                Sym("vprint", CODE_ADDRESS + 0x10),
                Sym("print", CODE_ADDRESS + 0x20, size=0x30),
                Sym("copy", CODE_ADDRESS + 0x100, version=3),
                Sym("copy", CODE_ADDRESS + 0x140, version=0x8000 | 2),
                Sym("length", CODE_ADDRESS + 0x180, kind=elf_image.IFUNC),
                Sym("table", DATA_ADDRESS + 8, kind=elf_image.OBJECT),
                Sym("malloc", 0, section=0),
                Sym("__log_chk", 0, section=0),
            ],
            static=[
                Sym("print", CODE_ADDRESS + 0x20, size=0x30),
                Sym("twin", CODE_ADDRESS + 0x200, bind=elf_image.LOCAL),
                Sym("twin", CODE_ADDRESS + 0x240, bind=elf_image.LOCAL),
                Sym("shared", CODE_ADDRESS + 0x280, bind=elf_image.LOCAL),
                Sym("shared", CODE_ADDRESS + 0x2C0),
                Sym("_label", CODE_ADDRESS + 0x300, size=0, kind=elf_image.NOTYPE),
                Sym("edata", DATA_ADDRESS + 64, size=0, kind=elf_image.NOTYPE),
            ],
            versions=["MADE_1.0", "MADE_2.0"],
        ),
    )


def placed(text: str) -> int:
    path, offset = userprobes.locate(Probe.parse(text))
    assert Path(path).name == "libmade.so"
    return offset - CODE


def test_a_name_is_found_in_the_tail_of_another(tmp_path: Path) -> None:
    symbols = [Sym("vprint", CODE_ADDRESS + 0x10), Sym("print", CODE_ADDRESS + 0x20, size=0x30)]
    image = elf_image.build(dynamic=symbols)
    assert b"\0print\0" not in image
    (symbol,) = open_elf(written(tmp_path / "library", image)).functions("print")
    assert (symbol.address, symbol.size) == (CODE_ADDRESS + 0x20, 0x30)


@pytest.mark.parametrize(
    ("symbol", "offset"),
    [
        ("print", 0x20),
        ("print+0x2c", 0x4C),
        ("copy", 0x100),
        ("copy@MADE_2.0", 0x100),
        ("copy@@MADE_2.0", 0x100),
        ("copy@MADE_1.0", 0x140),
        ("shared", 0x2C0),
        ("_label", 0x300),
        (f"{CODE_ADDRESS + 0x44:#x}", 0x44),
    ],
)
def test_a_probe_is_at_the_offset_in_the_file(library: str, symbol: str, offset: int) -> None:
    assert placed(f"uprobe:{library}:{symbol}") == offset


@pytest.mark.parametrize(
    ("symbol", "what", "rest"),
    [
        ("prnit", "has no function prnit", "did you mean print"),
        ("print+0x30", "print+0x30 is behind the end of print", "48 bytes (0x30)"),
        ("print+0x2e", "print+0x2e is in the middle of an instruction", "begins at print+0x2c"),
        (f"{CODE_ADDRESS + 0x22:#x}", "print+0x2 is in the middle", "begins at print+0x0"),
        ("copy@MADE_3.0", "copy has no version MADE_3.0", "it has MADE_1.0, MADE_2.0"),
        ("table", "has no function table", "table is a variable there"),
        ("edata", "has no function edata", "%bpf probes"),
        ("folded", "has no function folded", "inlines it), no name stays"),
        ("malloc", "has no function malloc", "uprobe:libc:malloc"),
        ("log", "has no function log", "uprobe:libc:__log_chk"),
        ("twin", "2 functions are called twin", f"libmade.so:{CODE_ADDRESS + 0x200:#x}, uprobe:"),
        ("length", "is an IFUNC", "chooses, when a program starts"),
        ("length+0x4", "length has no offsets", "probe its beginning"),
        ("0x10", "0x10 is not in the code", "its code is at 0x401000 to 0x402000"),
        (f"{DATA_ADDRESS:#x}", "is not in the code", "its code is at"),
    ],
)
def test_what_cannot_be_probed_says_why(library: str, symbol: str, what: str, rest: str) -> None:
    with pytest.raises(AttachError) as caught:
        userprobes.locate(Probe.parse(f"uprobe:{library}:{symbol}"))
    assert what in caught.value.what
    assert rest in str(caught.value)


def test_a_return_is_probed_from_the_functions_beginning_alone(library: str) -> None:
    assert placed(f"uretprobe:{library}:{CODE_ADDRESS + 0x20:#x}") == 0x20
    with pytest.raises(AttachError, match="is not the beginning of print"):
        placed(f"uretprobe:{library}:{CODE_ADDRESS + 0x24:#x}")


def test_addresses_and_offsets_are_each_others_reverse(library: str) -> None:
    elf = open_elf(library)
    assert elf.file_offset(CODE_ADDRESS + 5) == CODE + 5
    assert elf.address_of(CODE + 5) == CODE_ADDRESS + 5
    assert elf.file_offset(CODE_ADDRESS - 1) is None
    assert elf.file_offset(DATA_ADDRESS) is None
    assert elf.address_of(DATA) is None


def test_an_address_is_named_by_the_function_it_is_in(library: str) -> None:
    elf = open_elf(library)
    assert elf.function_at(CODE_ADDRESS + 0x20) == ("print", 0)
    assert elf.function_at(CODE_ADDRESS + 0x4F) == ("print", 0x2F)
    assert elf.function_at(CODE_ADDRESS + 0x50) is None
    assert elf.function_at(CODE_ADDRESS) is None


def test_functions_are_listed_once_and_without_imports(library: str) -> None:
    assert open_elf(library).function_names() == [b"copy", b"length", b"print", b"shared", b"twin", b"vprint"]


def test_a_rebuilt_file_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "program", elf_image.build(static=[Sym("before", CODE_ADDRESS)]))
    assert open_elf(path) is open_elf(path)
    assert open_elf(path).function_names() == [b"before"]
    written(tmp_path / "program", elf_image.build(static=[Sym("afterwards", CODE_ADDRESS)]))
    assert open_elf(path).function_names() == [b"afterwards"]


def test_a_file_without_symbols_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "stripped", elf_image.build())
    with pytest.raises(AttachError, match="stripped"):
        userprobes.locate(Probe.parse(f"uprobe:{path}:main"))


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(20)])
def test_what_is_no_program_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(AttachError, match="not an ELF program"):
        Elf(written(tmp_path / "script", content))


def test_a_truncated_file_raises_nothing_but_ours(tmp_path: Path, library: str) -> None:
    image = Path(library).read_bytes()
    for length in range(0, len(image), 97):
        path = written(tmp_path / f"cut{length}", image[:length])
        try:
            open_elf(path).function_names()
        except AttachError:
            continue


class TestUsdt:
    SEMAPHORE = DATA_ADDRESS + 0x20

    def made(self, tmp_path: Path, *notes: bytes, base: int | None = 0x9000) -> str:
        return written(tmp_path / "traced", elf_image.build(notes=b"".join(notes), base=base))

    def test_a_note_gives_offset_semaphore_and_arguments(self, tmp_path: Path) -> None:
        path = self.made(
            tmp_path, note(CODE_ADDRESS + 0x12, 0x9000, self.SEMAPHORE, "app", "step", "-4@%edi 8@-24(%rbp)")
        )
        (site,) = usdt.find(path, "app", "step")
        assert (site.path, site.provider, site.name) == (path, "app", "step")
        assert (site.offset, site.semaphore) == (CODE + 0x12, DATA + 0x20)
        assert site.arguments == "-4@%edi 8@-24(%rbp)"
        assert site.address == CODE_ADDRESS + 0x12

    def test_a_file_moved_after_the_note_was_written_moves_its_addresses(self, tmp_path: Path) -> None:
        moved = 0x300
        path = self.made(
            tmp_path,
            note(CODE_ADDRESS + 0x12 - moved, 0x9000 - moved, self.SEMAPHORE - moved, "app", "step", ""),
        )
        (site,) = usdt.find(path, "app", "step")
        assert (site.offset, site.semaphore) == (CODE + 0x12, DATA + 0x20)

    def test_without_a_base_nothing_moves(self, tmp_path: Path) -> None:
        path = self.made(tmp_path, note(CODE_ADDRESS + 4, 0x1234, 0, "app", "step", ""), base=None)
        (site,) = usdt.find(path, "app", "step")
        assert (site.offset, site.semaphore, site.arguments) == (CODE + 4, 0, "")

    def test_all_sites_of_a_probe_come_by_address(self, tmp_path: Path) -> None:
        notes = [note(CODE_ADDRESS + at, 0x9000, 0, "app", "step", f"4@${at}") for at in (8, 2, 5)]
        sites = usdt.find(self.made(tmp_path, *notes), "", "step")
        assert [(site.offset - CODE, site.arguments) for site in sites] == [
            (2, "4@$2"),
            (5, "4@$5"),
            (8, "4@$8"),
        ]

    def test_two_providers_of_one_name_must_be_told_apart(self, tmp_path: Path) -> None:
        path = self.made(
            tmp_path,
            note(CODE_ADDRESS, 0x9000, 0, "app", "step", ""),
            note(CODE_ADDRESS + 4, 0x9000, 0, "lib", "step", ""),
        )
        with pytest.raises(AttachError, match=f"usdt:{path}:app:step, usdt:{path}:lib:step"):
            usdt.find(path, "", "step")
        assert len(usdt.find(path, "lib", "step")) == 1

    def test_an_unknown_probe_names_the_nearest(self, tmp_path: Path) -> None:
        path = self.made(tmp_path, note(CODE_ADDRESS, 0x9000, 0, "app", "step", ""))
        with pytest.raises(AttachError, match=r"did you mean step\?"):
            usdt.find(path, "", "stepp")
        with pytest.raises(AttachError, match=r"did you mean app:step\?"):
            usdt.find(path, "ap", "step")

    def test_a_file_without_notes_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(AttachError, match="built without any"):
            usdt.find(written(tmp_path / "plain", elf_image.build()), "", "step")

    def test_other_notes_and_damaged_ones_are_passed_over(self, tmp_path: Path) -> None:
        good = note(CODE_ADDRESS, 0x9000, 0, "app", "step", "")
        other = note(CODE_ADDRESS + 1, 0x9000, 0, "app", "other", "", kind=1)
        outside = note(0x77, 0x9000, 0, "app", "outside", "")
        path = self.made(tmp_path, other, outside, good, good[:20])
        assert [site.name for site in usdt.probes(path)] == ["step"]
