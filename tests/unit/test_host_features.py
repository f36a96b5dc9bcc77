"""Features: what an errno means, what is remembered, what is raised, and how the report reads."""

import errno
import subprocess
import sys
from collections.abc import Callable

import pytest

from ebpf_lab.errors import MissingFeature, MissingPrivilege
from ebpf_lab.host import doctor, features, machine, privileges, system_calls
from ebpf_lab.host.answers import Answer, Feature, Lacking, Undecided
from ebpf_lab.host.privileges import TRACING, Refusal


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_known", {})
    monkeypatch.setattr(features.sys, "platform", "linux")


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Put a made-up trial in the place of "kprobe"'s; returns a list that grows with each attempt."""

    def make(*outcomes: BaseException | str) -> list[int]:
        attempts: list[int] = []

        def attempt() -> str:
            outcome = outcomes[min(len(attempts), len(outcomes) - 1)]
            attempts.append(1)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setitem(
            features._TRIALS, "kprobe", features._Trial(attempt, "kprobes", TRACING, "get one")
        )
        return attempts

    return make


def refused(number: int) -> OSError:
    return OSError(number, "no")


@pytest.mark.parametrize(
    "number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.E2BIG, errno.ENODEV, 524]
)
def test_an_errno_that_says_unknown_is_no(trial: Callable[..., list[int]], number: int) -> None:
    trial(refused(number))
    feature = features.probe("kprobe")
    assert (feature.answer, feature.errno, feature.remedy) == (Answer.NO, number, "get one")
    assert "(ENOTSUPP)" in feature.reason if number == 524 else errno.errorcode[number] in feature.reason


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EMFILE, errno.EBUSY, errno.EINTR])
def test_an_errno_that_says_nothing_is_unknown(trial: Callable[..., list[int]], number: int) -> None:
    trial(refused(number))
    assert features.probe("kprobe").answer is Answer.UNKNOWN
    features.require("kprobe")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES])
def test_a_refusal_for_want_of_rights_is_unknown(
    trial: Callable[..., list[int]], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privileges, "judge", lambda needed, have: Refusal("lacks CAP_BPF", "be root"))
    trial(refused(number))
    feature = features.probe("kprobe")
    assert (feature.answer, feature.remedy, feature.errno) == (Answer.UNKNOWN, "be root", number)
    with pytest.raises(MissingPrivilege, match="may not use kprobes"):
        features.require("kprobe")


def test_a_refusal_in_spite_of_every_right_is_no(
    trial: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        privileges, "judge", lambda needed, have: Refusal("the kernel refuses", "", final=True)
    )
    trial(refused(errno.EPERM))
    assert features.probe("kprobe").answer is Answer.NO
    with pytest.raises(MissingFeature, match="this machine lacks kprobes"):
        features.require("kprobe")


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("a remark", Answer.YES),
        (Lacking("reason", "remedy"), Answer.NO),
        (Undecided("reason", "remedy"), Answer.UNKNOWN),
        (MissingFeature("what", why="reason", hint="remedy"), Answer.NO),
        (MissingPrivilege("what", why="reason", hint="remedy"), Answer.UNKNOWN),
    ],
)
def test_outcomes(trial: Callable[..., list[int]], outcome: BaseException | str, answer: Answer) -> None:
    trial(outcome)
    feature = features.probe("kprobe")
    assert feature.answer is answer
    if isinstance(outcome, str):
        assert feature.reason == outcome
    else:
        assert "reason" in feature.reason
        assert feature.remedy == "remedy"


def test_what_works_is_tried_once_and_what_does_not_each_time(trial: Callable[..., list[int]]) -> None:
    attempts = trial(Lacking("not yet"), Lacking("not yet"), "mended")
    assert [features.probe("kprobe").answer for _ in range(5)] == ["no", "no", "yes", "yes", "yes"]
    assert len(attempts) == 3


def test_other_systems_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.sys, "platform", "darwin")
    assert {feature.answer for feature in features.probe_all()} == {Answer.NO}
    with pytest.raises(MissingFeature, match="Linux only"):
        features.require("bpf")


def test_an_unknown_feature_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        features.probe("kprobes")


@pytest.mark.parametrize(
    ("instead", "hint"),
    [
        ("tracepoint:syscalls:sys_enter_clone", "tracepoint:syscalls:sys_enter_clone shows"),
        ("", "no tracepoint shows sys_clone"),
    ],
)
def test_a_kernel_without_kprobes_names_the_tracepoint(
    trial: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch, instead: str, hint: str
) -> None:
    trial(Lacking("CONFIG_KPROBES is not set"))
    monkeypatch.setattr(system_calls, "shown_by", lambda function, at_return: instead)
    error = features.no_kprobes("sys_clone", at_return=False)
    assert (error.what, error.why) == ("this kernel has no kprobes", "CONFIG_KPROBES is not set")
    assert hint in error.hint
    assert "./lab vm" in error.hint


def test_the_report_shows_remedies_of_what_is_missing_only() -> None:
    text = doctor.text(
        [
            Feature("btf", Answer.YES, "", "not shown"),
            Feature("kprobe", Answer.NO, "CONFIG_KPROBES is not set", "sudo apt install linux-image-amd64"),
            Feature("tc", Answer.UNKNOWN, "word " * 30),
            Feature("lsm", Answer.NO, "", "sudo apt install linux-image-amd64"),
        ],
        width=60,
    )
    lines = text.partition("\n\n")[2].splitlines()
    assert lines[0] == "btf     yes"
    assert lines[1] == "kprobe  no       CONFIG_KPROBES is not set"
    assert lines[2] == "                 -> sudo apt install linux-image-amd64"
    assert lines[3].startswith("tc      unknown  word")
    assert lines[-2:] == ["lsm     no", "                 -> as for kprobe"]
    assert max(len(line) for line in lines) <= 60
    assert "not shown" not in text


def test_host_and_attach_can_be_imported_on_other_systems() -> None:
    """Modules that Unix alone has are made unimportable, as they are on Windows."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "import ctypes, subprocess, socket, tempfile\n"
            "unix = ('fcntl', 'pwd', 'grp', 'resource', 'termios')\n"
            "for name in unix: sys.modules[name] = None\n"
            "sys.platform = 'win32'\n"
            "import importlib, pkgutil, ebpf_lab.host, ebpf_lab.attach\n"
            "names = [m.name for m in pkgutil.iter_modules(ebpf_lab.host.__path__)]\n"
            "[importlib.import_module('ebpf_lab.host.' + name) for name in names]\n"
            "print(len(names))\n",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15


def test_the_verdict_names_what_is_missing_and_where_to_begin() -> None:
    def judge(*missing: Feature) -> tuple[bool, str]:
        lacking = {feature.name: feature for feature in missing}
        names = (*machine.CHECKS, *features.NAMES)
        judged = doctor.verdict([lacking.get(name, Feature(name, Answer.YES)) for name in names])
        return judged.course, judged.words

    assert judge() == (True, "The course can run here.")
    assert judge(Feature("kprobe", Answer.NO), Feature("sysctls", Answer.NO)) == (
        True,
        "The course can run here, but for lessons that use kprobe: ./lab vm has them.",
    )
    assert judge(Feature("btf", Answer.NO), Feature("clang", Answer.NO, "", "sudo apt install clang")) == (
        False,
        "The course cannot run here: it lacks btf and clang. Begin with: sudo apt install clang",
    )
    # Not knowing is not having: a process without rights cannot run it.
    assert not judge(Feature("bpf", Answer.UNKNOWN))[0]
    assert set(doctor.NEEDED) | set(doctor.BY_SOME) <= {*machine.CHECKS, *features.NAMES}
