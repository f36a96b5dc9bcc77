"""Making a virtual machine's files, without booting any."""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import arch, foreign, image, initramfs, machine, packages, unpack


def bzimage(payload: bytes, size: int) -> bytes:
    """A kernel with one setup sector and its payload 64 bytes behind that."""
    head = bytearray(1024 + 64)
    head[0x1F1] = 1
    struct.pack_into("<II", head, 0x248, 64, len(payload) + 4)
    return bytes(head) + payload + struct.pack("<I", size) + b"relocations"


@pytest.mark.parametrize(
    "compress", [gzip.compress, lambda data: lzma.compress(data, check=lzma.CHECK_CRC32)]
)
def test_vmlinux_comes_out_of_a_compressed_kernel(compress: object) -> None:
    elf = b"\x7fELF" + bytes(range(256)) * 40
    assert unpack.vmlinux(bzimage(compress(elf), len(elf))) == elf  # type: ignore[operator]


def test_damaged_kernel_is_refused() -> None:
    elf = b"\x7fELF" + bytes(999)
    with pytest.raises(VirtualMachineError, match="damaged"):
        unpack.vmlinux(bzimage(gzip.compress(elf), len(elf) + 1))
    with pytest.raises(VirtualMachineError, match=r"unknown way \(it begins 6162"):
        unpack.vmlinux(bzimage(b"abcdefgh", 3))


def test_archive_is_one_that_the_kernel_reads() -> None:
    packed = initramfs.archive(
        [
            initramfs.Entry("a", initramfs.DIRECTORY),
            initramfs.Entry("a/b", initramfs.FILE, b"12345", 7),
            initramfs.Entry("a/cc", initramfs.PROGRAM),
        ]
    )
    # By the format's definition: 110 bytes of header, name and content each padded to 4.
    names, at = [], 0
    while not names or names[-1] != "TRAILER!!!":
        assert packed[at : at + 6] == b"070701"
        fields = [int(packed[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, length = fields[6], fields[11]
        names.append(packed[at + 110 : at + 110 + length - 1].decode())
        at = (at + 110 + length + 3) & ~3
        if names[-1] == "a/b":
            assert packed[at : at + size] == b"12345"
            assert (fields[1], fields[5]) == (0o100644, 7)
        at = (at + size + 3) & ~3
    assert names == ["a", "a/b", "a/cc", "TRAILER!!!"]
    assert at == len(packed)


def test_modules_come_after_those_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depends = {
        "9p": "9pnet,netfs",
        "9pnet": "netfs",
        "9pnet_virtio": "9pnet",
        "netfs": "",
        "overlay": "",
        "spare": "",
    }
    for name, needed in depends.items():
        (tmp_path / f"{name}.ko.xz").write_bytes(lzma.compress(f"{name}\0depends={needed}\0".encode()))
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"static")
    busybox.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    packed = initramfs.build(tmp_path, "guest_init.sh")
    places = {name: packed.find(f"{name}\0depends=".encode()) for name in depends}
    assert places.pop("spare") == -1
    assert sorted(places, key=places.__getitem__) in (
        ["netfs", "9pnet", "9p", "9pnet_virtio", "overlay"],
        ["netfs", "9pnet", "9pnet_virtio", "9p", "overlay"],
    )


def test_busybox_with_libraries_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"\x7fELF /lib64/ld-linux-x86-64.so.2 ")
    busybox.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VirtualMachineError, match="dynamically linked") as caught:
        initramfs.build(tmp_path, "guest_init.sh")
    assert caught.value.hint == "apt-get install busybox-static"


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [("6.1", "6.1.0-50-amd64"), ("6.12", "6.12.107+deb13-amd64"), ("7.2", "7.2.12+deb13-amd64")],
)
def test_newest_release_of_the_generic_flavour(kernel: str, expected: str) -> None:
    names = [
        *("linux-image-6.1.0-9-amd64", "linux-image-6.1.0-50-amd64", "linux-image-6.1.0-51-cloud-amd64"),
        *("linux-image-6.1.0-52-amd64-dbg", "linux-image-6.1.0-53-amd64-unsigned", "linux-image-amd64"),
        *(
            "linux-image-6.12.94+deb13-amd64",
            "linux-image-6.12.107+deb13-amd64",
            "linux-headers-6.12.200+deb13-amd64",
        ),
        *(
            "linux-image-6.12.108+deb13-rt-amd64",
            "linux-binary-7.2.9+deb13-amd64",
            "linux-binary-7.2.12+deb13-amd64",
        ),
    ]
    assert image.newest_release(kernel, "amd64", names) == expected


def test_kernel_that_has_left_the_suite_is_named() -> None:
    with pytest.raises(VirtualMachineError, match=r"no kernel 7\.2 for amd64 any more"):
        image.newest_release("7.2", "amd64", ["linux-image-7.3.4+deb13-amd64"])


def test_unknown_kernel_and_architecture_say_what_is_known() -> None:
    with pytest.raises(VirtualMachineError, match=r"(?s)'5\.10'.*6\.1, 6\.12, 7\.2"):
        image.image("5.10", arch.architecture("x86_64"), print)
    with pytest.raises(VirtualMachineError, match=r"(?s)'riscv64'.*x86_64, aarch64"):
        arch.architecture("riscv64")


def test_mirror_is_the_variable_then_the_distribution_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {packages.MIRROR_VARIABLE: "http://mirror.invalid/debian"}
    assert packages.mirror(chosen) == "http://mirror.invalid/debian"
    monkeypatch.setattr(packages, "_os_release", lambda: {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    template = tmp_path / "Debian.info"
    with pytest.raises(VirtualMachineError, match="no Debian mirror") as caught:
        packages.mirror({}, template)
    assert packages.MIRROR_VARIABLE in caught.value.hint
    template.write_text("Suite: sid\nRepositoryType: deb\nBaseURI: http://archive.invalid/debian/\n")
    assert packages.mirror({}, template) == "http://archive.invalid/debian/"


def test_mirror_is_the_one_of_the_machines_own_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = """\
trixie main http://company.invalid/tools/
trixie-security main http://mirror.invalid/debian-security/
trixie main http://mirror.invalid/debian/
trixie stable http://other.invalid/linux/debian/
"""
    monkeypatch.setattr(packages, "_os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "trixie"})
    monkeypatch.setattr(packages, "_run", lambda command: targets)
    assert packages.mirror({}) == "http://mirror.invalid/debian/"


def test_command_goes_through_the_shell_unharmed(tmp_path: Path) -> None:
    words = ["printf", "%s|", "it's", "a  b", "$HOME", "`ls`", "new\nline", ""]
    script = machine._script(words, str(tmp_path), {"PATH": "/usr/bin:/bin", "A": "x'y $z"})
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "it's|a  b|$HOME|`ls`|new\nline||"
    with pytest.raises(VirtualMachineError, match="no command"):
        machine._script([], "/", {})


def test_cache_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/user")
    assert image.cache() == Path("/var/cache/user/ebpf-lab/vm")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert image.cache() == Path("/home/user/.cache/ebpf-lab/vm")


def test_only_what_the_guest_needs_is_kept() -> None:
    release = "6.1.0-50-amd64"
    keep = (f"usr/lib/modules/{release}/kernel/fs/9p/9p.ko", f"usr/lib/modules/{release}/build")
    drop = (f"usr/lib/modules/{release}/kernel/fs/ext4/ext4.ko", "usr/share/doc/linux/copyright")
    assert all(image._wanted(PurePosixPath(path), release) for path in keep)
    assert not any(image._wanted(PurePosixPath(path), release) for path in drop)


def test_no_path_of_the_host_passes_to_another_architecture() -> None:
    host = {
        "PATH": "/host/bin",
        "HOME": "/home/me",
        "VIRTUAL_ENV": "/venv",
        "PYTHONPATH": "/host",
        "TERM": "xterm",
    }
    environment, project = machine.abroad(host)
    assert environment.pop("PATH").split(":")[0] == "/usr/local/sbin"
    assert environment == {"HOME": "/root", "PYTHONPATH": project, "TERM": "xterm"}
    assert (Path(project) / "ebpf_lab/vm/machine.py").exists()


def test_requirements_for_another_architecture_are_the_projects_own() -> None:
    names = {requirement.partition(">")[0] for requirement in foreign.requirements()}
    assert names == {"pytest", "tree-sitter", "tree-sitter-c"}
