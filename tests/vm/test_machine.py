"""The virtual machine itself: what goes in, what comes out, and that it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import KERNELS, Machine, TimeLimit


class Recorder:
    """A sink that notes when what came."""

    def __init__(self) -> None:
        self.data = b""
        self.times: list[float] = []

    def write(self, data: bytes) -> None:
        self.data += data
        self.times.append(time.monotonic())

    def flush(self) -> None:
        pass


def run(*argv: str, **options: object) -> tuple[int, str, str]:
    out, err = Recorder(), Recorder()
    kernel = str(options.pop("kernel", "6.12"))
    status = Machine(kernel=kernel).run(argv, stdout=out, stderr=err, **options)  # type: ignore[arg-type]
    return status, out.data.decode(), err.data.decode()


def machines() -> set[int]:
    """Processes that are QEMU over a directory of ours."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"qemu-system" in command and b"ebpf-lab-vm-" in command:
            found.add(int(process.name))
    return found


def children(pid: int) -> set[int]:
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()


@pytest.fixture(autouse=True)
def no_machine_left() -> None:
    yield
    left = machines() & children(os.getpid())
    assert not left, f"QEMU still runs: {left}"


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel_is_the_one_asked_for_with_its_headers(kernel: str) -> None:
    script = """
        uname -r
        test -w /sys/kernel/tracing/kprobe_events && echo kprobes
        test -s /sys/kernel/btf/vmlinux && echo types
        cd /lib/modules/$(uname -r)
        test -e build/include/generated/autoconf.h && test -x build/scripts/basic/fixdep && echo build
        test -e source/include/linux/kconfig.h && echo source
    """
    status, out, err = run("sh", "-c", script, kernel=kernel)
    release, *found = out.splitlines()
    assert release.startswith(f"{kernel}."), err
    assert found == ["kprobes", "types", "build", "source"], err
    assert status == 0


def test_status_and_both_outputs_come_back_whole() -> None:
    # /dev/stderr is opened anew by the shell: into a plain file it would write over what is there.
    script = "seq 20000; echo first >&2; echo second >/dev/stderr; exit 7"
    status, out, err = run("sh", "-c", script)
    assert status == 7
    assert out == "".join(f"{number}\n" for number in range(1, 20001))
    assert err == "first\nsecond\n"


def test_output_streams_while_the_command_runs() -> None:
    out = Recorder()
    assert Machine().run(["sh", "-c", "echo one; sleep 2; echo two"], stdout=out) == 0
    assert out.data == b"one\ntwo\n"
    assert out.times[-1] - out.times[0] > 1


def test_directory_and_variables_pass_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBPF_LAB_SAMPLE", "it's $HOME\n*")
    monkeypatch.setenv("UNRELATED", "stays here")
    script = "import os; print(os.getcwd(), dict(os.environ))"
    status, out, err = run(sys.executable, "-c", script, cwd=tmp_path, env={"GIVEN": "1"})
    assert status == 0, err
    directory, variables = out.split(" ", 1)
    assert directory == str(tmp_path)
    environment = eval(variables)
    assert environment["EBPF_LAB_SAMPLE"] == "it's $HOME\n*"
    assert environment["GIVEN"] == "1"
    assert environment["PATH"] == os.environ["PATH"]
    assert "UNRELATED" not in environment


def test_command_starts_with_every_signal_at_its_default() -> None:
    # A shell's background jobs ignore SIGINT, and what is ignored stays so in all that is started from them.
    status, out, _ = run("sh", "-c", "grep -EH '^Sig(Blk|Ign)' /proc/self/status; kill 0")
    found = dict(re.findall(r"^/proc/self/status:(Sig\w+):\t(\w+)$", out, re.MULTILINE))
    assert {name: int(mask, 16) for name, mask in found.items()} == {"SigBlk": 0, "SigIgn": 0}
    assert status == 128 + signal.SIGTERM


def test_only_writable_directories_keep_what_is_written(tmp_path: Path) -> None:
    kept, lost = tmp_path / "kept, with a comma", tmp_path / "lost"
    kept.mkdir()
    lost.mkdir()
    (lost / "old").write_text("old")
    script = f"echo new >'{kept}/file'; echo new >'{lost}/file'; rm '{lost}/old'; ls '{lost}'"
    assert run("sh", "-c", script, writable=[kept]) == (0, "file\n", "")
    assert (kept / "file").read_text() == "new\n"
    assert [path.name for path in lost.iterdir()] == ["old"]


def test_status_of_a_killed_and_of_a_missing_command() -> None:
    assert run("sh", "-c", "kill -TERM $$")[0] == 128 + signal.SIGTERM
    status, _, err = run("no-such-command")
    assert status == 127
    assert "no-such-command" in err


def test_command_can_make_a_world_of_its_own_as_containers_do() -> None:
    status, out, err = run("unshare", "-m", "--map-root-user", "sh", "-c", "id -u; pwd", cwd="/usr")
    assert (status, out, err) == (0, "0\n/usr\n", "")


def test_what_the_command_leaves_running_does_not_hold_the_machine() -> None:
    begin = time.monotonic()
    assert run("sh", "-c", "sleep 1000 & (setsid sleep 1000 &) ; echo done") == (0, "done\n", "")
    assert time.monotonic() - begin < 60


def test_time_limit_stops_the_machine() -> None:
    out = Recorder()
    with pytest.raises(TimeLimit, match="still running after 1 s"):
        Machine().run(["sh", "-c", "echo here; exec sleep 1000"], stdout=out, timeout=1)
    assert out.data == b"here\n"


def test_crash_shows_the_end_of_the_console() -> None:
    with pytest.raises(
        VirtualMachineError, match=r"while the command ran: .*sysrq triggered crash"
    ) as caught:
        run("sh", "-c", "echo c >/proc/sysrq-trigger")
    assert "Kernel panic" in caught.value.log
    assert "Kernel panic" in str(caught.value)


def test_machine_dies_with_the_process_that_started_it() -> None:
    command = [sys.executable, "-m", "ebpf_lab.vm", "--", "sh", "-c", "echo up; exec sleep 1000"]
    lab = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert lab.stdout is not None
    assert lab.stdout.readline() == b"up\n"
    ours = machines() & children(lab.pid)
    assert ours
    lab.kill()
    lab.wait()
    lab.stdout.close()
    end = time.monotonic() + 10
    while machines() & ours and time.monotonic() < end:
        time.sleep(0.05)
    assert not machines() & ours
    # Nobody could remove its directory then; the next machine does.
    left = set(Path(tempfile.gettempdir()).glob(f"ebpf-lab-vm-{lab.pid}-*"))
    assert left
    assert run("true")[0] == 0
    assert not {path for path in left if path.exists()}


def test_command_line_gives_status_and_says_what_went_wrong() -> None:
    def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ebpf_lab.vm", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = lab("--kernel", "6.1", "--", "sh", "-c", "uname -r; exit 3")
    assert done.returncode == 3
    assert done.stdout.startswith("6.1.")
    assert done.stderr == ""
    late = lab("--timeout", "1", "--", "sleep", "1000")
    assert late.returncode == 124
    assert "still running after 1 s" in late.stderr
    for wrong in (["--timeout", "-5", "--", "true"], ["--kernel", "5.10", "--", "true"], ["--"]):
        assert lab(*wrong).returncode == 2


def test_snippets_are_checked_in_a_machine() -> None:
    verb = [sys.executable, "-m", "ebpf_lab.cli", "snippets", "--check", "--kernel", "6.12", "--json"]
    done = subprocess.run([*verb, "hello_clone.libbpf"], stdout=subprocess.PIPE, text=True, check=False)
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, row["kernel"], row["state"]) == (0, "6.12 (VM)", "loaded")
