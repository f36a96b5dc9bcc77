"""Following what a command starts, on the real kernel."""

import subprocess
import sys
import threading

import pytest

from ebpf_lab.readers import children
from ebpf_lab.readers.children import ChildTracker

pytestmark = pytest.mark.needs("perfbuf")


def launch(tracker: ChildTracker, *argv: str) -> subprocess.Popen[bytes]:
    return tracker.launch(lambda: subprocess.Popen(argv, stdout=subprocess.PIPE))


def printed(process: subprocess.Popen[bytes]) -> set[int]:
    """Process ids that a command printed."""
    output, _ = process.communicate(timeout=30)
    return {int(word) for word in output.split()}


def test_every_process_of_a_shell_is_found():
    script = "for i in $(seq 23); do sh -c 'echo $$; exit'; done; echo $$"
    with ChildTracker() as tracker:
        process = launch(tracker, "sh", "-c", script)
        told = printed(process)
        tracker.drain()
        assert len(told) == 24
        assert told <= tracker.pids
        assert len(tracker.pids) == 24 + 1  # seq, which does not print its id
        assert process.pid in tracker.pids
        assert tracker.pids == tracker.tids
        assert tracker.lost == 0


def test_a_daemon_is_followed_after_its_parents_are_gone():
    daemon = (
        "import os, time\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "time.sleep(0.1)\n"
        "os.fork()\n"
        "os.write(1, b'%d\\n' % os.getpid())\n"
    )
    with ChildTracker() as tracker:
        process = launch(tracker, sys.executable, "-c", daemon)
        told = printed(process)  # the pipe is open until the daemon has ended
        tracker.drain()
        assert len(told) == 2
        assert told <= tracker.pids
        assert len(tracker.pids) == 4


def test_threads_are_found_and_are_no_processes():
    script = (
        "import threading\n"
        "for _ in range(7):\n"
        "    t = threading.Thread(target=lambda: print(threading.get_native_id()))\n"
        "    t.start(); t.join()\n"
    )
    with ChildTracker() as tracker:
        process = launch(tracker, sys.executable, "-c", script)
        told = printed(process)
        tracker.drain()
        assert told | {process.pid} == tracker.tids
        assert tracker.pids == {process.pid}


def test_what_other_threads_start_is_not_followed():
    with ChildTracker() as tracker:
        stranger = threading.Thread(target=subprocess.run, args=(["true"],))

        def start() -> subprocess.Popen[bytes]:
            stranger.start()
            stranger.join()
            return subprocess.Popen(["sleep", "0.1"])

        before = subprocess.Popen(["sleep", "0.1"])
        process = tracker.launch(start)
        after = subprocess.Popen(["true"])
        for each in (before, process, after):
            each.wait()
        tracker.drain()
        assert tracker.pids == {process.pid}


def test_what_comes_later_is_found_by_a_later_drain():
    with ChildTracker() as tracker:
        script = ["sh", "-c", "read line; sh -c 'echo $$'; true"]
        process = tracker.launch(
            lambda: subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        tracker.drain()
        assert tracker.pids == {process.pid}
        output, _ = process.communicate(b"go\n", timeout=30)
        tracker.drain()
        assert tracker.pids == {process.pid, int(output)}


def test_an_error_of_the_start_comes_through():
    with ChildTracker() as tracker, pytest.raises(FileNotFoundError):
        tracker.launch(lambda: subprocess.Popen(["/nowhere/to/be/found"]))


def test_forks_that_found_no_room_are_told(monkeypatch):
    monkeypatch.setattr(children, "_PAGES", 1)
    with ChildTracker() as tracker:
        launch(tracker, "bash", "-c", "for i in $(seq 499); do (:); done").communicate()
        tracker.drain()
        assert 0 < len(tracker.pids) < 499
        assert len(tracker.pids) + tracker.lost >= 499


def test_closing_takes_in_what_is_left():
    tracker = ChildTracker()
    tracker.launch(lambda: subprocess.run(["true"], check=True))
    tracker.close()
    assert len(tracker.pids) == 1
    tracker.close()


def test_a_tracker_that_launched_nothing():
    with ChildTracker() as tracker:
        tracker.drain()
        assert (tracker.pids, tracker.lost) == (set(), 0)


def test_draining_while_the_command_is_launched(monkeypatch: pytest.MonkeyPatch):
    """Another process's event may be drained at the very moment that the rings are opened."""
    begun, opened = threading.Event(), threading.Event()
    take = children.perf.take

    def held(*arguments):
        taken = take(*arguments)
        begun.set()
        assert opened.wait(30)
        return taken

    with ChildTracker() as tracker:
        monkeypatch.setattr(children.perf, "take", held)
        failed = []

        def drain() -> None:
            try:
                tracker.drain()
            except ValueError as error:
                failed.append(error)

        draining = threading.Thread(target=drain)
        draining.start()
        assert begun.wait(30)
        process = launch(tracker, "sh", "-c", "echo $$")
        opened.set()
        draining.join()
        told = printed(process)
        tracker.drain()
        assert failed == []
        assert told == tracker.pids
