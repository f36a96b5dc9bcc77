"""``%%bpf`` cells and the ``%bpf`` line, in an IPython shell of the test's own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from support.texts import seek_stream
from traitlets.config import Config

import ebpf_lab
from ebpf_lab.source import snippets

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")

_NO_HISTORY = Config({"HistoryManager": {"enabled": False}})  # its thread and file would outlive the test
EMPTY = "\n"
REJECTED = """
SEC("tracepoint/syscalls/sys_enter_lseek")
int loops(void *ctx)
{
    for (volatile int i = 0; i >= 0; i++)
        ;
    return 0;
}
"""


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(colors="nocolor", config=_NO_HISTORY)
    made.run_line_magic("load_ext", "ebpf_lab")
    yield made
    made.run_line_magic("bpf", "stop")
    InteractiveShell.clear_instance()


@pytest.fixture(scope="module")
def text() -> str:
    return seek_stream("libbpf", "ringbuf")


def _cell(shell: InteractiveShell, line: str, text: str) -> Any:
    return shell.run_cell_magic("bpf", line, text)


def test_the_cell_returns_the_frame_and_prints_the_header(
    shell: InteractiveShell, text: str, seek: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = _cell(shell, f"-- {seek} 23", text)
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == 23
    assert "23 events" in capsys.readouterr().out


def test_the_result_is_bound_by_name(shell: InteractiveShell, text: str, seek: Path) -> None:
    assert _cell(shell, f"-o found -- {seek} 23", text) is None
    assert len(shell.user_ns["found"]) == 23
    assert shell.user_ns["_bpf"].stats["events"].delivered == 23


def test_a_trace_shows_itself_as_its_cell_did(shell: InteractiveShell, text: str, seek: Path) -> None:
    _cell(shell, f"-o found -- {seek} 23", text)
    for code, headed in (("_bpf", True), ("found", False)):
        with capture_output() as captured:
            shell.run_cell(code)
        assert captured.stdout.count("23 events · ") == headed
        assert "0xffff000000000016" in captured.stdout
    with capture_output() as captured:
        shell.user_ns["unstarted"] = ebpf_lab.trace(text)
        shell.run_cell("unstarted")
    assert "<Trace not started: " in captured.stdout


def test_what_the_command_prints_is_shown(
    shell: InteractiveShell, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _cell(shell, "-- sh -c 'echo said $((6 * 7)) {times}'", text)
    assert "said 42 {times}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "body", "error", "words"),
    [
        ("", EMPTY, ebpf_lab.UsageProblem, "no C here"),
        ("-t -5", None, ebpf_lab.UsageProblem, "-5"),
        ("--nosuch", None, ebpf_lab.UsageProblem, "--nosuch"),
        ("-t 1", "int broken(", ebpf_lab.LabError, "line 1"),
        ("-t 1", REJECTED, ebpf_lab.VerifierRejected, "loops"),
        ("-- no-such-command", None, ebpf_lab.CommandFailed, "no-such-command"),
        ("-t 1 --attach nofn=tracepoint:sched:sched_switch", None, ebpf_lab.UsageProblem, "nofn"),
        ("-t 1 --set nothing=1", None, ebpf_lab.UsageProblem, "nothing"),
    ],
    ids=["empty", "negative time", "unknown option", "broken C", "rejected", "command", "attach", "set"],
)
def test_bad_input_is_one_error_and_the_next_cell_works(
    shell: InteractiveShell, text: str, seek: Path, line: str, body: str | None, error: type, words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        _cell(shell, line, text if body is None else body)
    shown = caught.value._render_traceback_()
    assert shown[0].startswith(type(caught.value).__name__)
    assert not any("Traceback" in part for part in shown)
    assert len(_cell(shell, f"-- {seek} 23", text)) == 23


def test_explain_shows_the_last_failure_in_full(shell: InteractiveShell, text: str, seek: Path) -> None:
    with capture_output():
        shell.run_cell("%%bpf -t 1" + REJECTED)
        shell.run_cell(f"%%bpf -- {seek} 23\n{text}")
    with capture_output() as captured:
        shell.run_line_magic("bpf", "explain")
    (output,) = captured.outputs
    assert output.data["text/plain"].startswith("VerifierRejected: loops: ")
    assert "processed " in output.data["text/html"]
    assert shell.user_ns["_bpf_error"].source == REJECTED.lstrip()


def test_an_interrupt_returns_what_came(shell: InteractiveShell, text: str, seek: Path) -> None:
    command = f"-- sh -c '{seek} 23; exec sleep 1000'"
    timer = threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    frame = _cell(shell, command, text)
    timer.join()
    assert len(frame) == 23


def test_background_status_and_stop(shell: InteractiveShell, text: str, seek: Path) -> None:
    _cell(shell, "--bg -o running", text)
    subprocess.run([seek, "23"], check=True)
    status = shell.run_line_magic("bpf", "status")
    assert status["name"].tolist() == ["running"]
    with capture_output() as captured:
        shell.run_cell("running")
    # Of the 23 those that were read by then: the first wakes the reader.
    assert re.search(r"\b\d+ events? · ", captured.stdout)
    assert "it still runs" in captured.stdout
    frame = shell.run_line_magic("bpf", "stop running")
    assert len(frame) == 23
    assert shell.run_line_magic("bpf", "status").empty


def test_running_a_cell_again_detaches_its_first_trace(
    shell: InteractiveShell, text: str, seek: Path
) -> None:
    _cell(shell, "--bg -o first", text)
    first = shell.user_ns["first"]
    _cell(shell, "--bg -o first", text)
    assert not first.running
    subprocess.run([seek, "23"], check=True)
    assert len(shell.run_line_magic("bpf", "stop first")) == 23
    assert len(first.frame) == 0


def test_two_cells_with_the_same_program_both_see_everything(
    shell: InteractiveShell, text: str, seek: Path
) -> None:
    _cell(shell, "--bg -o one", text)
    frame = _cell(shell, f"-- {seek} 23", text + "\n// the other cell\n")
    assert len(frame) == 23
    assert len(shell.run_line_magic("bpf", "stop one")) == 23


def test_probes(shell: InteractiveShell) -> None:
    found = shell.run_line_magic("bpf", "probes tracepoint:syscalls:sys_enter_open*")
    assert "syscalls:sys_enter_openat" in found["probe"].tolist()


def test_show_puts_a_snippet_into_the_next_cell(shell: InteractiveShell) -> None:
    shell.run_line_magic("bpf", "show exec_ring.libbpf")
    assert shell.rl_next_input.startswith("%%bpf -- sh -c ")
    assert "bpf_ringbuf_reserve" in shell.rl_next_input


def test_show_prints_what_a_snippet_needs_around_it(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_line_magic("bpf", "show xdp_counter")
    printed = capsys.readouterr().out
    before, after = printed.split("a cell before it")[1].split("a cell after it")
    assert (
        before.count("\n%%sh -e\nip netns add lab\n") == after.count("\n%%sh -e\nip link delete lab0\n") == 1
    )
    first = shell.rl_next_input.splitlines()[0]
    assert first.startswith("%%bpf --attach packet_arrived=xdp:lab0 -- sh -c ")
    assert shlex.split(first)[-1] == snippets.load("xdp_counter.libbpf").workload


def test_show_says_which_dialect_it_took(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_line_magic("bpf", "show exec_ring")
    assert capsys.readouterr().out.startswith("exec_ring.libbpf: ")
    assert "bpf_ringbuf_reserve" in shell.rl_next_input


@pytest.mark.parametrize(
    ("line", "words"),
    [("statsu", "status"), ("stop nobody", "nobody"), ("show exec_rign", "exec_ring"), ("probes", "pattern")],
)
def test_a_line_that_cannot_be_meant(shell: InteractiveShell, line: str, words: str) -> None:
    with pytest.raises(ebpf_lab.UsageProblem) as caught:
        shell.run_line_magic("bpf", line)
    assert words in caught.value.block()


def test_doctor(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_line_magic("bpf", "doctor")
    assert "tracepoint" in capsys.readouterr().out


def test_programs_that_a_shell_starts(shell: InteractiveShell) -> None:
    """The acceptance line of the execve tracer."""
    script = "for i in $(seq 23); do /bin/true; done; /no/such; true"
    frame = _cell(shell, f"--only -- sh -c '{script}'", snippets.load("exec_snoop.libbpf").text)
    assert (frame["args"] == "/bin/true").sum() == 23
    assert frame[frame["file"] == "/no/such"]["ret_errno"].tolist() == ["ENOENT"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "%bpf ",
            ["doctor", "explain", "help", "hosts", "inside", "maps", "probes", "show", "status", "stop"],
        ),
        ("%bpf st", ["status", "stop"]),
        ("x = 1\n%bpf sh", ["show"]),
        ("%bpf show exec_r", ["exec_ring", "exec_ring.bcc", "exec_ring.libbpf"]),
        ("%bpf show exec_ring.l", ["exec_ring.libbpf"]),
        (
            "%bpf show rejected/null_check_missing.",
            ["rejected/null_check_missing.bcc", "rejected/null_check_missing.libbpf"],
        ),
    ],
)
def test_tab_completes(shell: InteractiveShell, line: str, found: list[str]) -> None:
    shell.run_line_magic("reload_ext", "ebpf_lab")
    with provisionalcompleter():
        completed = [each.text for each in shell.Completer.completions(line, len(line))]
    assert completed == found


STARTED = """%%bpf -n 3
SEC("tp_btf/sched_process_exec")
int BPF_PROG(started, struct task_struct *task, pid_t old, struct linux_binprm *binary)
{
    """


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("bpf_get_current_pid", "bpf_get_current_pid_tgid"),
        ("task->mm->pg", "pgd"),
        ("u32 parent = BPF_CORE_READ(task, real_parent, tg", "tgid"),
        ("binary->file->f_path.den", "dentry"),
        ("TASK_COMM", "TASK_COMM_LEN"),
        ("struct task_str", "task_struct"),
    ],
)
def test_tab_in_a_cell_s_c(shell: InteractiveShell, typed: str, offered: str, jedi: bool) -> None:
    shell.Completer.use_jedi = jedi
    shell.user_ns["task"] = "not this one"
    cell = f"{STARTED}{typed}\n    return 0;\n}}\n"
    cursor = len(STARTED) + len(typed)
    with provisionalcompleter():
        completed = list(shell.Completer.completions(cell, cursor))
    found = next(each for each in completed if each.text == offered)
    assert offered.startswith(cell[found.start : cursor])
    assert found.end == cursor


@pytest.mark.parametrize(
    ("cell", "offered"),
    [
        ('%%bpf\nSEC("tracepoint/sched/sched_process_e', "tracepoint/sched/sched_process_exec"),
        ('%%bpf\nSEC("raw_tp/sys_en', "raw_tp/sys_enter"),
        ('%%bpf\nSEC("uprobe/libc:put', "uprobe/libc:puts"),
        ("%%bpf --attach f=tracepoint:syscalls:sys_enter_opena", "f=tracepoint:syscalls:sys_enter_openat"),
        ("%%bpf\nTRACEPOINT_PROBE(sched, sched_process_exec) { args->fil", "data_loc_filename"),
        ("%%bpf\nBTF_OFFSET(task_struct, real_par", "real_parent"),
        ('%%bpf\nSEC("tp_btf/sched_process_exec")\nint BPF_PROG(f, ', "struct task_struct *p"),
        (
            '%%bpf\nSEC("tracepoint/sched/sched_wakeup")\nint f(struct ',
            "trace_event_raw_sched_wakeup_template",
        ),
        ('%%bpf\nSEC("fexit/vfs_open")\nint BPF_PROG(f, struct path *path, ', "struct file *file"),
        ("%%bpf -o fra", "frame"),
    ],
)
def test_tab_knows_this_machine(shell: InteractiveShell, cell: str, offered: str) -> None:
    shell.user_ns["frame"] = 1
    with provisionalcompleter():
        assert offered in [each.text for each in shell.Completer.completions(cell, len(cell))]


def test_nothing_of_python_s_is_offered_in_c(shell: InteractiveShell) -> None:
    shell.user_ns["my_variable"] = 1
    cell = f"{STARTED}my_varia"
    with provisionalcompleter():
        assert [each.text for each in shell.Completer.completions(cell, len(cell))] == ["my_varia"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bpf_get_stackid", "STACK_TRACE"),
        ("struct linux_binprm", "filename"),
        ("tracepoint:sched:sched_process_exec", "old_pid"),
        ("BPF_MAP_TYPE_RINGBUF", "Linux 5.8"),
    ],
)
def test_help(shell: InteractiveShell, name: str, words: str) -> None:
    with capture_output() as captured:
        shell.run_line_magic("bpf", f"help {name}")
    assert words in captured.outputs[0].data["text/plain"]
    assert words in captured.outputs[0].data["text/html"]


def test_help_on_what_nobody_knows(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="knows nothing") as caught:
        shell.run_line_magic("bpf", "help bpf_get_stackidd")
    assert "bpf_get_stackid?" in caught.value.hint
    shell.run_line_magic("bpf", "help")
    assert "--attach FN=PROBE" in capsys.readouterr().out


def test_inside_of_the_trace_that_ran_last_or_of_one_that_runs(shell: InteractiveShell, text: str) -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="nothing was traced yet"):
        shell.run_line_magic("bpf", "inside")
    _cell(shell, "-o frame -- true", text)
    last = shell.run_line_magic("bpf", "inside")
    assert len(last.programs) == 1
    _cell(shell, "-o running --bg", text)
    assert "call bpf_ringbuf_reserve" in repr(shell.run_line_magic("bpf", "inside running"))
    with pytest.raises(ebpf_lab.UsageProblem) as caught:
        shell.run_line_magic("bpf", "inside frame")
    assert "in the background" in caught.value.why
    with pytest.raises(ebpf_lab.UsageProblem, match="inside runing"):
        shell.run_line_magic("bpf", "inside runing")


def test_tab_elsewhere_is_as_ever(shell: InteractiveShell) -> None:
    shell.user_ns["showing"] = 1
    with provisionalcompleter():
        completed = [each.text for each in shell.Completer.completions("showi", 5)]
    assert "showing" in completed


def test_what_the_compiler_warns_of_is_shown_and_marked(
    shell: InteractiveShell, text: str, seek: Path
) -> None:
    warned = text.replace("    __builtin_memset(", "    u32 n = 7; n == 7;\n    __builtin_memset(", 1)
    with capture_output() as captured:
        frame = _cell(shell, f"-- {seek} 7", warned)
    assert len(frame) == 7
    (output,) = captured.outputs
    assert output.data["text/plain"].startswith("the compiler warns of this:\n")
    assert "^~~~ equality comparison result unused" in output.data["text/plain"]
    (place,) = output.metadata["ebpf-lab"]["places"]
    assert (place["severity"], place["message"]) == ("warning", "warning: equality comparison result unused")
    assert warned.splitlines()[place["line"] - 1] == place["text"] == "    u32 n = 7; n == 7;"
