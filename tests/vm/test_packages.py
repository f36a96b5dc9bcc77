"""What comes from Debian packages: checked, and unpacked to where it belongs."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import unpack
from ebpf_lab.vm.packages import MIRROR_VARIABLE, Suite


def test_package_unpacks_to_merged_usr_and_nowhere_else(tmp_path: Path) -> None:
    def deb(name: str, members: dict[str, str]) -> Path:
        tree = tmp_path / name
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
        )
        for path, content in members.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("->"):
                (tree / path).symlink_to(content[2:])
            else:
                (tree / path).write_text(content)
        subprocess.run(["dpkg-deb", "-b", tree, tmp_path / f"{name}.deb"], check=True, capture_output=True)
        return tmp_path / f"{name}.deb"

    made = deb(
        "good",
        {
            "lib/modules/1/a": "module",
            "usr/src/h/x.h": "header",
            "usr/lib/link": "->/usr/src/h",
            "etc/no": "",
        },
    )
    out = tmp_path / "out"
    unpack.unpack_deb(made, out, lambda path: path.parts[0] != "etc")
    assert (out / "usr/lib/modules/1/a").read_text() == "module"
    assert (out / "usr/src/h/x.h").read_text() == "header"
    assert (out / "usr/lib/link").readlink() == Path("/usr/src/h")
    assert not (out / "etc").exists()

    damaged = tmp_path / "damaged.deb"
    damaged.write_bytes(made.read_bytes()[:200])
    with pytest.raises(VirtualMachineError, match="damaged"):
        unpack.unpack_deb(damaged, tmp_path / "none", lambda path: True)


def test_member_outside_the_tree_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # dpkg-deb makes no such package, so a program in its place puts one out.
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("./a/../../evil"), io.BytesIO())
    (tmp_path / "evil.tar").write_bytes(buffer.getvalue())
    (tmp_path / "dpkg-deb").write_text('#!/bin/sh\ncat "$2"\n')
    (tmp_path / "dpkg-deb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(VirtualMachineError, match="outside its own tree"):
        unpack.unpack_deb(tmp_path / "evil.tar", tmp_path / "out", lambda path: True)


def test_archive_that_nobody_signed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = (
        b"Package: linux-image-6.1.0-1-amd64\nVersion: 1\nArchitecture: amd64\nFilename: x.deb\nSize: 1\n"
    )
    lists = tmp_path / "archive/dists/bookworm/main/binary-amd64"
    lists.mkdir(parents=True)
    (lists / "Packages").write_bytes(packages)
    digest = hashlib.sha256(packages).hexdigest()
    (tmp_path / "archive/dists/bookworm/Release").write_text(
        "Suite: oldstable\nCodename: bookworm\nComponents: main\nArchitectures: amd64\n"
        f"SHA256:\n {digest} {len(packages)} main/binary-amd64/Packages\n"
    )
    monkeypatch.setenv(MIRROR_VARIABLE, f"file:{tmp_path}/archive")
    with pytest.raises(VirtualMachineError, match="is not signed"):
        Suite("bookworm", "amd64", tmp_path / "apt").update()


def test_mirror_that_cannot_be_reached_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, f"file:{tmp_path}/nowhere")
    with pytest.raises(VirtualMachineError, match="apt-get failed"):
        Suite("bookworm", "amd64", tmp_path / "apt").update()
