"""Privileges, headers, libraries, mappings: what is read from files of the machine, on files made up."""

import struct
from pathlib import Path

import pytest

from ebpf_lab.errors import AttachError, MissingPrivilege
from ebpf_lab.host import kernel, libraries, maps, privileges, tool_probes
from ebpf_lab.host.privileges import ADMIN, NETWORK, TRACEFS, TRACING, Privileges, explain, judge

ALL = (1 << 41) - 1
SYS_ADMIN, PERFMON, BPF, DAC_READ_SEARCH = 1 << 21, 1 << 38, 1 << 39, 1 << 2


def having(effective: int, **other: object) -> Privileges:
    values: dict[str, object] = {
        "effective": effective,
        "initial_namespace": True,
        "seccomp": False,
        "unprivileged_bpf_disabled": 2,
        "perf_event_paranoid": 2,
        "kptr_restrict": 0,
        "lockdown": "none",
    }
    return Privileges(**{**values, **other})  # type: ignore[arg-type]


class TestPrivileges:
    @pytest.mark.parametrize(
        ("effective", "needed", "missing"),
        [
            (0, TRACING, ("CAP_BPF", "CAP_PERFMON")),
            (BPF, TRACING, ("CAP_PERFMON",)),
            (BPF | PERFMON, TRACING, ()),
            (BPF | PERFMON, TRACEFS, ("CAP_DAC_READ_SEARCH",)),
            (BPF | PERFMON, ADMIN, ("CAP_SYS_ADMIN",)),
            (SYS_ADMIN, TRACING, ()),
            (SYS_ADMIN, NETWORK, ("CAP_NET_ADMIN",)),
            (ALL, NETWORK, ()),
        ],
    )
    def test_what_is_missing(self, effective: int, needed: tuple[str, ...], missing: tuple[str, ...]) -> None:
        assert having(effective).missing(needed) == missing

    @pytest.mark.parametrize(
        ("have", "why", "hint", "final"),
        [
            (having(BPF), "lacks CAP_PERFMON", "--ambient-caps +bpf,+perfmon", False),
            (having(ALL, initial_namespace=False), "user namespace", "outside the container", False),
            (having(ALL, lockdown="confidentiality"), "locked down (confidentiality)", "Secure Boot", True),
            (having(ALL, lockdown="integrity", seccomp=True), "seccomp", "--privileged", False),
            (having(BPF | PERFMON, perf_event_paranoid=3), "perf_event_paranoid is 3", "=2", False),
            (having(ALL, perf_event_paranoid=3), "the kernel refuses it", "./lab vm", True),
            (having(ALL, seccomp=True), "seccomp", "--privileged", False),
            (having(ALL), "the kernel refuses it", "./lab vm", True),
        ],
    )
    def test_a_refusal_has_the_likeliest_cause(
        self, have: Privileges, why: str, hint: str, final: bool
    ) -> None:
        refusal = judge(TRACING, have)
        assert why in refusal.why
        assert hint in refusal.hint
        assert refusal.final is final

    def test_the_error_names_the_action(self) -> None:
        error = explain("load a BPF program", TRACING, having(0))
        assert isinstance(error, MissingPrivilege)
        assert error.what == "may not load a BPF program: Operation not permitted"
        assert error.why == "this process lacks CAP_BPF and CAP_PERFMON"

    def test_they_are_told_in_a_line(self) -> None:
        assert str(having(BPF | PERFMON, lockdown="", kptr_restrict=None)) == (
            "CAP_PERFMON, CAP_BPF; perf_event_paranoid 2, unprivileged_bpf_disabled 2"
        )
        assert str(having(ALL, initial_namespace=False)).startswith("no capability for BPF; ")

    def test_the_kernels_files_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "self").mkdir()
        (tmp_path / "self/status").write_text(
            "Name:\tx\nCapEff:\t000000c000200000\nSeccomp:\t2\nSeccomp_filters:\t1\n"
        )
        (tmp_path / "self/uid_map").write_text("         0     100000      65536\n")
        (tmp_path / "sys/kernel").mkdir(parents=True)
        (tmp_path / "sys/kernel/perf_event_paranoid").write_text("4\n")
        (tmp_path / "lockdown").write_text("none [integrity] confidentiality\n")
        found = privileges.current(tmp_path, tmp_path)
        assert found.effective == BPF | PERFMON | SYS_ADMIN
        assert (found.initial_namespace, found.seccomp) == (False, True)
        assert (found.perf_event_paranoid, found.kptr_restrict) == (4, None)
        assert found.lockdown == "integrity"
        assert not found.has("CAP_BPF"), "capabilities of a user namespace do not count"

    def test_the_initial_namespace_is_known_by_its_map(self, tmp_path: Path) -> None:
        (tmp_path / "self").mkdir()
        (tmp_path / "self/uid_map").write_text("         0          0 4294967295\n")
        assert privileges.current(tmp_path, tmp_path).initial_namespace


class TestHeaders:
    @pytest.fixture(autouse=True)
    def running(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernel, "release", lambda: "6.1.0-9-amd64")

    @staticmethod
    def tree(root: Path, *files: str) -> None:
        for name in files:
            path = root / "6.1.0-9-amd64" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('#define UTS_RELEASE "6.1.0-7-amd64"\n')

    def test_debian_splits_them(self, tmp_path: Path) -> None:
        self.tree(tmp_path, "build/include/generated/autoconf.h", "build/include/generated/utsrelease.h")
        assert kernel.headers(tmp_path) is None
        self.tree(tmp_path, "source/include/linux/kconfig.h")
        found = kernel.headers(tmp_path)
        assert found is not None
        assert (found.release, found.foreign) == ("6.1.0-7-amd64", True)

    def test_a_kernel_tree_has_all_in_one(self, tmp_path: Path) -> None:
        self.tree(tmp_path, "build/include/linux/kconfig.h", "build/include/generated/autoconf.h")
        found = kernel.headers(tmp_path)
        assert found is not None
        assert found.release == ""

    def test_none(self, tmp_path: Path) -> None:
        assert kernel.headers(tmp_path) is None

    @pytest.mark.parametrize(
        ("release", "expected"),
        [("6.1.0-56-amd64", (6, 1)), ("6.18.44", (6, 18)), ("7.2", (7, 2)), ("custom", (0, 0))],
    )
    def test_versions(self, release: str, expected: tuple[int, int]) -> None:
        assert kernel.version(release) == expected


class TestBcc:
    @pytest.mark.parametrize(
        ("release", "floor"),
        [
            ("6.1.0-56-amd64", ""),
            ("6.9.12", ""),
            ("6.10.0", "0.31.0"),
            ("6.14.1", "0.31.0"),
            ("6.15.0", "0.35.0"),
            ("6.18.44-fc", "0.36.1"),
            ("7.2.0", "0.37.0"),
        ],
    )
    def test_the_oldest_that_reads_a_kernels_headers(self, release: str, floor: str) -> None:
        assert tool_probes.bcc_floor(release) == floor

    def test_the_lattice_package_of_that_name_is_not_taken(self, tmp_path: Path) -> None:
        (tmp_path / "python3/dist-packages/bcc").mkdir(parents=True)
        assert tool_probes.bcc_package(tmp_path) is None
        real = tmp_path / "python3.11/site-packages/bcc"
        real.mkdir(parents=True)
        (real / "libbcc.py").touch()
        assert tool_probes.bcc_package(tmp_path) == real
        assert tool_probes.bcc_version(real) == ""
        (real / "version.py").write_text("__version__ = '0.26.0'\n")
        assert tool_probes.bcc_version(real) == "0.26.0"


def cache(*entries: tuple[int, str, str], old: bytes = b"") -> bytes:
    """An ``ld.so.cache`` of (flags, soname, path)."""
    strings, table = b"", b""
    start = 20 + 28 + 24 * len(entries)
    for flags, soname, path in entries:
        places = []
        for text in (soname, path):
            places.append(start + len(strings))
            strings += text.encode() + b"\0"
        table += struct.pack("<iIIIQ", flags, *places, 0, 0)
    return old + b"glibc-ld.so.cache1.1" + struct.pack("<II20x", len(entries), len(strings)) + table + strings


class TestLibraries:
    CACHE = cache(
        (0x0303, "libssl.so.3", "/x/libssl.so.3"),
        (0x0303, "libssl.so.1.1", "/x/libssl.so.1.1"),
        (0x0303, "libc.so.6", "/first/libc.so.6"),
        (0x0303, "libc.so.6", "/second/libc.so.6"),
        (0x0003, "libc.so.6", "/lib32/libc.so.6"),
        (0x0A03, "libc.so.6", "/arm/libc.so.6"),
    )

    def test_the_cache_is_read_by_architecture(self) -> None:
        assert [path for _, path in libraries.parse_cache(self.CACHE, "aarch64")] == ["/arm/libc.so.6"]
        assert len(list(libraries.parse_cache(self.CACHE, "x86_64"))) == 4
        assert list(libraries.parse_cache(self.CACHE, "riscv64")) == []

    def test_the_old_format_may_stand_in_front(self) -> None:
        assert list(libraries.parse_cache(cache((0x0303, "libm.so.6", "/m"), old=bytes(48)), "x86_64")) == [
            ("libm.so.6", "/m")
        ]

    def test_a_cut_cache_ends(self) -> None:
        for length in range(len(self.CACHE)):
            list(libraries.parse_cache(self.CACHE[:length], "x86_64"))

    @pytest.fixture
    def machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A machine that has just what the test gives it."""
        (tmp_path / "lib").mkdir()
        (tmp_path / "bin").mkdir()
        monkeypatch.setattr(libraries, "CACHE", tmp_path / "ld.so.cache")
        monkeypatch.setattr(libraries, "_STANDARD", (str(tmp_path / "lib"),))
        monkeypatch.setattr(kernel, "architecture", lambda: "x86_64")
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        return tmp_path

    def test_the_loader_chooses_the_first(self, machine: Path) -> None:
        (machine / "ld.so.cache").write_bytes(self.CACHE)
        assert libraries.find("libc") == "/first/libc.so.6"
        assert libraries.find("libc.so.6") == "/first/libc.so.6"
        assert libraries.find("c") == "/first/libc.so.6"

    def test_the_newest_version_is_meant(self, machine: Path) -> None:
        (machine / "ld.so.cache").write_bytes(self.CACHE)
        assert libraries.find("libssl") == "/x/libssl.so.3"
        assert libraries.find("libssl.so.1") == "/x/libssl.so.1.1"

    def test_without_a_cache_the_usual_places_are_searched(self, machine: Path) -> None:
        real = machine / "lib/libfoo.so.2.10.1"
        real.touch()
        (machine / "lib/libfoo.so.2").symlink_to(real)
        assert libraries.find("libfoo") == str(real)

    def test_programs_are_found_by_path(self, machine: Path) -> None:
        program = machine / "bin/thing"
        program.touch(mode=0o755)
        assert libraries.find("thing") == str(program)

    def test_what_is_not_there_is_said(self, machine: Path) -> None:
        (machine / "ld.so.cache").write_bytes(self.CACHE)
        with pytest.raises(AttachError, match=r"did you mean libssl\?"):
            libraries.find("libsl")
        (machine / "bin/thing").touch(mode=0o755)
        with pytest.raises(AttachError, match=r"did you mean thing\?"):
            libraries.find("thinng")
        with pytest.raises(AttachError, match=rf"did you mean {machine}/bin/thing\?"):
            libraries.find(str(machine / "bin/tihng"))
        with pytest.raises(AttachError, match="does not exist"):
            libraries.find("/no/such/file")
        with pytest.raises(AttachError, match="is not a file"):
            libraries.find(str(machine))


def test_only_executable_mappings_count(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/maps").write_text(
        "00400000-00401000 r--p 00000000 08:01 1 /bin/a b\n"
        "00401000-00402000 r-xp 00001000 08:01 1                  /bin/a b\n"
        "00500000-00501000 r-xp 00000000 08:01 2                  /tmp/gone (deleted)\n"
        "00600000-00601000 rwxp 00000000 00:00 0 \n"
        "7fff0000-7fff1000 r-xp 00000000 00:00 0                  [vdso]\n"
    )
    found = maps.executable(7, tmp_path)
    assert [mapping.path for mapping in found] == ["/bin/a b", "/tmp/gone", "", "[vdso]"]
    assert (found[0].start, found[0].end, found[0].offset) == (0x401000, 0x402000, 0x1000)
