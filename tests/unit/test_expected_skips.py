"""The lists of expected skips, and the comparison that holds a run to its list."""

from __future__ import annotations

import pytest
from support import skips
from support.globs import files, matches
from support.skips import Entry


def compare(*entries: str, skipped: set[str], ran: set[str], whole: bool = True) -> list[str]:
    selected = skipped | ran
    return skips.problems(
        [Entry(entry, "reason") for entry in entries],
        selected=selected,
        skipped=skipped,
        ran=ran,
        whole_files={test.partition("::")[0] for test in selected} if whole else set(),
    )


def test_brackets_are_only_brackets() -> None:
    assert matches("f.py::test[a-*]", "f.py::test[a-b]")
    assert not matches("f.py::test[a-*]", "f.py::testa")
    assert not matches("f.py::test", "f.py::test[a]")


def test_run_as_listed() -> None:
    assert compare("f.py::a*", skipped={"f.py::a1", "f.py::a2"}, ran={"f.py::b"}) == []


def test_unlisted_skip() -> None:
    (line,) = compare("f.py::a", skipped={"f.py::a", "f.py::b"}, ran=set())
    assert line == "skipped, but not expected to be: f.py::b"


def test_listed_test_that_ran() -> None:
    (line,) = compare("f.py::a*", skipped={"f.py::a1"}, ran={"f.py::a2"})
    assert line == "expected to be skipped (reason), but it ran: f.py::a2"


def test_listed_test_that_does_not_exist() -> None:
    (line,) = compare("f.py::gone", skipped=set(), ran={"f.py::a"})
    assert line == "expected to be skipped, but there is no such test: f.py::gone"


def test_entries_of_tests_not_selected_are_left_alone() -> None:
    assert compare("other.py::a", skipped=set(), ran={"f.py::a"}) == []
    assert compare("f.py::gone", skipped=set(), ran={"f.py::a"}, whole=False) == []


@pytest.mark.parametrize(
    "line", ["f.py::a", "f.py::a  #", "f.py::a # one space", "f.py::a b  # two words", "*::a  # any file"]
)
def test_entry_without_reason(line: str) -> None:
    with pytest.raises(ValueError, match=r"local\.txt:1"):
        skips.parse(line, "local.txt")


@pytest.mark.parametrize("path", files(skips.LISTS, "*.txt"), ids=lambda path: path.name)
def test_lists_name_files_that_exist(path: object) -> None:
    for entry in skips.parse(path.read_text(), path.name):
        assert (skips.LISTS.parent.parent / entry.pattern.partition("::")[0]).is_file()


def run_with_plugin(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, entries: str
) -> pytest.RunResult:
    """Run a file of one skipped test and one that runs, against a list."""
    (pytester.path / "list.txt").write_text(entries)
    monkeypatch.setattr(skips, "list_for_this_kernel", lambda: pytester.path / "list.txt")
    pytester.makeconftest(
        """
        import pytest
        from support import skips
        from support.needs import SKIPPED

        def pytest_configure(config):
            config.addinivalue_line("markers", "needs(*names)")
            config.pluginmanager.register(skips.ExpectedSkips(config))

        def pytest_runtest_setup(item):
            for mark in item.iter_markers("needs"):
                item.stash[SKIPPED] = True
                pytest.skip("not here")
        """
    )
    pytester.makepyfile(
        test_some="""
        import pytest

        @pytest.mark.needs("kprobe")
        def test_needing(): pass

        def test_plain(): pass
        """
    )
    return pytester.runpytest_inprocess()


def test_run_fails_for_an_unlisted_skip(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_with_plugin(pytester, monkeypatch, "# none\n")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["skipped, but not expected to be: test_some.py::test_needing"])


def test_run_passes_when_listed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_with_plugin(pytester, monkeypatch, "test_some.py::test_needing  # no kprobes\n").ret == 0


def test_skip_without_needs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(test_other="import pytest\ndef test_shy(): pytest.skip('no mood')\n")
    result = run_with_plugin(
        pytester, monkeypatch, "test_some.py::test_needing  # no\ntest_other.py::*  # no\n"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["skipped, but not by its needs: test_other.py::test_shy"])
