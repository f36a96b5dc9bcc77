"""Which kernel is chosen, and what is installed, without starting any."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import pytest
from ipykernel.ipkernel import IPythonKernel
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from ebpf_lab.errors import MissingFeature, VirtualMachineError
from ebpf_lab.host.answers import Answer, Feature
from ebpf_lab.notebook import kernels
from ebpf_lab.notebook.provisioner import MachineProvisioner
from ebpf_lab.vm import initramfs
from ebpf_lab.vm.jupyter import __main__ as guest_options
from ebpf_lab.vm.jupyter import files

NO_KPROBES = Feature("kprobe", Answer.NO, "CONFIG_KPROBES is not set", "")


def test_local_kernel_is_taken_where_it_can_trace_everything() -> None:
    choice = kernels.choose(lambda: None, lambda kernel: VirtualMachineError("not asked for"))
    assert (choice.name, choice.complete) == (kernels.LOCAL, True)


def test_machine_is_taken_where_the_local_kernel_lacks_something() -> None:
    choice = kernels.choose(lambda: NO_KPROBES, lambda kernel: None)
    assert (choice.name, choice.complete) == (kernels.MACHINE, True)
    assert choice.why == (
        "this machine's kernel lacks kprobe (CONFIG_KPROBES is not set);"
        " a virtual machine with Linux 6.12 has it"
    )


NO_MACHINE = VirtualMachineError("busybox is not installed", hint="apt-get install busybox-static")


def test_recordings_are_shown_where_neither_will_do() -> None:
    choice = kernels.choose(lambda: NO_KPROBES, lambda kernel: NO_MACHINE, lambda: True)
    assert (choice.name, choice.complete) == (kernels.REPLAY, False)
    assert choice.why == (
        "this machine's kernel lacks kprobe (CONFIG_KPROBES is not set), and there can be no virtual machine"
        " (busybox is not installed: apt-get install busybox-static):"
        " lessons show what was recorded elsewhere"
    )


def test_reason_is_said_where_there_are_no_recordings_either() -> None:
    choice = kernels.choose(lambda: NO_KPROBES, lambda kernel: NO_MACHINE, lambda: False)
    assert (choice.name, choice.complete) == (kernels.LOCAL, False)
    assert choice.why.endswith(
        "there can be no virtual machine (busybox is not installed: apt-get install busybox-static)"
    )


def test_course_comes_with_recordings() -> None:
    assert kernels.has_recordings()


def test_specifications_start_this_python(tmp_path: Path) -> None:
    local, machine, replay = kernels.install(tmp_path, tmp_path / "course")
    argv = json.loads((local / "kernel.json").read_text())["argv"]
    assert argv[0] == sys.executable
    assert argv[-2:] == list(kernels.KERNEL_OPTIONS)
    specification = json.loads((machine / "kernel.json").read_text())
    assert specification["display_name"] == "eBPF Lab (VM)"
    assert specification["argv"][-2:] == ["--writable", str(tmp_path / "course")]
    # A Jupyter of another environment would hide a kernel whose provisioner it does not have.
    assert specification["metadata"] == {}
    specification = json.loads((replay / "kernel.json").read_text())
    assert specification["display_name"] == "eBPF Lab (replay)"
    assert specification["env"] == {"EBPF_LAB_REPLAY": str(tmp_path / "course/recordings")}
    assert "env" not in json.loads((local / "kernel.json").read_text())


def test_other_kernel_series_has_a_specification_of_its_own(tmp_path: Path) -> None:
    _, machine, replay = kernels.install(tmp_path, None, "6.1")
    assert machine.name == "ebpf-lab-vm-6.1"
    specification = json.loads((machine / "kernel.json").read_text())
    assert specification["display_name"] == "eBPF Lab (VM, Linux 6.1)"
    assert specification["argv"][-2:] == ["--kernel", "6.1"]
    # Where no course is named, each notebook has its own beside it: a kernel starts in that directory.
    specification = json.loads((replay / "kernel.json").read_text())
    assert specification["env"] == {"EBPF_LAB_REPLAY": "recordings"}


def test_chosen_kernel_takes_the_place_of_python(tmp_path: Path) -> None:
    _, machine, _ = kernels.install(tmp_path, None)
    kernels.make_default(tmp_path, kernels.MACHINE)
    taken = json.loads((tmp_path / "share/jupyter/kernels/python3/kernel.json").read_text())
    assert taken == json.loads((machine / "kernel.json").read_text())


@pytest.mark.parametrize("status", [0, 1])
def test_provisioner_prepares_first_and_passes_on_why_it_failed(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_provisioner(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setattr(KernelProvisionerFactory, "_instance", None)
    program = (
        f"import sys; print(*sys.argv[1:], file=open('{tmp_path}/ran', 'a')); sys.stderr.write('no room'); "
    )
    write_specification(tmp_path, [sys.executable, "-c", f"{program} sys.exit({status})"])
    manager = KernelManager(kernel_name="provisioned")
    if status:
        with pytest.raises(RuntimeError, match="no room"):
            manager.start_kernel()
    else:
        manager.start_kernel()
        manager.shutdown_kernel(now=True)
    assert (tmp_path / "ran").read_text().splitlines()[0] == "--prepare"


def register_provisioner(site: Path) -> None:
    """Install the entry point alone, as an environment may hold an older installation of the lab."""
    information = site / "provisioned-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: provisioned\nVersion: 1\n")
    (information / "entry_points.txt").write_text(
        "[jupyter_client.kernel_provisioners]\n"
        f"provisioned = {MachineProvisioner.__module__}:MachineProvisioner\n"
    )


def write_specification(data: Path, argv: list[str]) -> None:
    specification = {
        "argv": argv,
        "display_name": "provisioned",
        "language": "python",
        "metadata": {"kernel_provisioner": {"provisioner_name": "provisioned"}},
    }
    (data / "kernels/provisioned").mkdir(parents=True)
    (data / "kernels/provisioned/kernel.json").write_text(json.dumps(specification))


def test_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file")
    with pytest.raises(MissingFeature, match="kernel specification ebpf-lab cannot be written"):
        kernels.install(tmp_path, None)


def test_files_come_with_the_links_that_lead_to_them(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file-1.2").write_bytes(b"content")
    (tmp_path / "real/file").symlink_to("file-1.2")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    entries = {f"/{entry.path}": entry for entry in files.entries([f"{tmp_path}/linked/file"])}
    assert entries[f"{tmp_path}/linked"].content == bytes(tmp_path / "real")
    assert entries[f"{tmp_path}/real/file"].content == b"file-1.2"
    assert entries[f"{tmp_path}/real/file-1.2"].content == b"content"
    assert entries[str(tmp_path)].mode == initramfs.DIRECTORY
    assert list(entries).index(str(tmp_path)) < list(entries).index(f"{tmp_path}/real")


def test_changed_file_shows(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("1")
    before = files.state([str(path)])
    assert files.state([str(path)]) == before
    os.utime(path, (1, 1))
    assert files.state([str(path)]) != before
    path.unlink()
    assert files.state([str(path)]) == [(str(path), -1, -1)]


def test_recorded_files_are_enough_to_name_the_interpreter_and_its_loader() -> None:
    preparation = ["--import=json", "--kernel-class=ipykernel.ipkernel.IPythonKernel"]
    needed = files.record(preparation, files.environment() | {"PATH": os.environ["PATH"]})
    assert sys.executable in needed.files
    assert os.path.realpath(sys.executable) in needed.code
    assert any("/ld-" in path for path in needed.files)
    assert all(os.path.isfile(path) for path in needed.files)


def test_both_kernels_are_of_the_lab_s_class() -> None:
    (option,) = (each for each in kernels.KERNEL_OPTIONS if "kernel_class" in each)
    name = option.partition("=")[2]
    module, _, made = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), made), IPythonKernel)
    assert name == guest_options._KERNEL
