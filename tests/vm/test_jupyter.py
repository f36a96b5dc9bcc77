"""The kernel "eBPF Lab (VM)": what an ordinary user, without any right, does with it in Jupyter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from support import kernel_user
from support.machine import ROOT

from ebpf_lab.notebook import kernels
from ebpf_lab.vm.arch import architecture
from ebpf_lab.vm.image import cache, image
from ebpf_lab.vm.machine import DEFAULT_KERNEL

LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NOBODY = 65534
SECONDS = 600

HELLO = """\
%%bpf -o hello --only -- python3 -c "import os; os.fork() or os._exit(0); os.wait()"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct event { u32 pid; char comm[16]; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");

SEC("ksyscall/clone")
int hello(void *ctx)
{
    struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e)
        return 0;
    e->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(e->comm, sizeof(e->comm));
    bpf_ringbuf_submit(e, 0);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
"""


class Student:
    """A user with a home of their own and no rights, for whom the kernels are installed."""

    def __init__(self, home: Path) -> None:
        self.course = home / "course"
        self._environment = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
        self._environment |= {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "JUPYTER_PATH": str(home / "prefix/share/jupyter"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "TMPDIR": str(home / "tmp"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        }
        self._prefix: list[str] = []
        self.course.mkdir()
        (home / "tmp").mkdir()
        kernels.install(home / "prefix", self.course)
        self._take_image(home / ".cache/ebpf-lab/vm")
        if os.geteuid() == 0:
            self._prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            self._prefix += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)

    def _take_image(self, own: Path) -> None:
        # The kernel's packages were fetched for the other tests.
        found = image(DEFAULT_KERNEL, architecture(), print).tree.parent
        target = own / found.relative_to(cache())
        target.parent.mkdir(parents=True)
        shutil.copytree(found, target, symlinks=True)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._prefix, sys.executable, kernel_user.__file__, *arguments],
            cwd=self.course,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, seconds: float = SECONDS) -> dict[str, list[float]]:
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            finally:
                process.kill()
        assert process.returncode == 0, err
        told: dict[str, list[float]] = json.loads(out.splitlines()[-1])
        return told

    def execute(self, *cells: str) -> list[str]:
        """Execute a notebook of code cells, and return what each printed."""
        path = self.course / "lesson.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells]), path)
        texts: object = self.run("notebook", str(path))["cells"]
        assert isinstance(texts, list)
        return texts

    def machines(self) -> list[int]:
        """QEMU processes of this user's."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"qemu-system" in command and bytes(self.course.parent) in command:
                found.append(int(process.name))
        return found


@pytest.fixture(scope="module")
def student() -> Iterator[Student]:
    # Not below pytest's own directory, which is its user's alone.
    home = Path("/var/tmp") / f"ebpf-lab-student-{os.getpid()}"
    home.mkdir(mode=0o755)
    try:
        yield Student(home)
    finally:
        shutil.rmtree(home)


@pytest.fixture(autouse=True)
def no_machine_left(student: Student) -> Iterator[None]:
    yield
    assert student.machines() == []


def test_hello_from_clone_and_a_file_in_the_course(student: Student) -> None:
    written = "open('written.txt', 'w').write(str(len(hello)))"
    outside = "import os, platform; open('/etc/motd', 'w').close(); os.getuid(), platform.release()"
    _, count, system, *_ = student.execute(HELLO, f"{written}\nlen(hello), hello.comm[0]", outside)
    assert count == "(1, 'python3')"
    assert system.startswith(f"(0, '{DEFAULT_KERNEL}.")
    file = student.course / "written.txt"
    assert file.read_text() == "1"
    assert file.stat().st_uid == student.course.stat().st_uid


def test_lessons_have_no_errors_but_their_own(student: Student, pytestconfig: pytest.Config) -> None:
    # The first has one of each kind of cell; the others take minutes each.
    for path in LESSONS if pytestconfig.getoption("full") else LESSONS[:1]:
        shutil.copy(path, student.course)
        told = student.run("lesson", str(student.course / path.name), seconds=3600)
        assert told["errors"] == told["expected"], path


def test_cell_can_make_a_world_of_its_own_as_containers_do(student: Student) -> None:
    made = "import subprocess\nsubprocess.run(['unshare', '--user', 'true']).returncode"
    assert student.execute(made)[-1] == "0"


def test_copies_of_the_saved_machine_differ_in_what_must_be_random(student: Student) -> None:
    draws = "import os, random, uuid, numpy, time\n"
    draws += "os.urandom(8), random.random(), numpy.random.random(), uuid.uuid4()"
    first, second = (student.execute(draws, "time.time()") for _ in range(2))
    assert first[0] != second[0]
    assert not {*first[0].strip("()").split(", ")} & {*second[0].strip("()").split(", ")}
    assert abs(float(second[1]) - time.time()) < 60


def test_interrupt_restart_and_end_leave_nothing(
    student: Student, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 50 if pytestconfig.getoption("full") else 2
    told = student.run("cycles", str(count), seconds=count * 120)
    assert len(told["interrupted"]) == count
    with capsys.disabled():
        for what, times in told.items():
            print(f"\n{what}: median {sorted(times)[count // 2]:.1f} s, most {max(times):.1f} s", end="")


def test_machine_ends_with_a_killed_server(student: Student) -> None:
    with student.start("abandon") as server:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline()) == {"running": True}
        assert len(student.machines()) == 1
        server.kill()
    limit = time.monotonic() + 10
    while student.machines() and time.monotonic() < limit:
        time.sleep(0.05)
