"""Several hosts, as far as it takes none: frames, clocks and errors of many as one, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.errors import CompileError, HostFailed, Mark, MissingFeature, UsageProblem, VerifierRejected
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.hosts import clocks, connect
from ebpf_lab.hosts.carried import HostResult, Machine
from ebpf_lab.hosts.clocks import Offset
from ebpf_lab.hosts.combined import combined, common_time
from ebpf_lab.hosts.failed import as_one
from ebpf_lab.hosts.gathered import Gathered
from ebpf_lab.source.options import parse_cell
from ebpf_lab.stats import Fact


def _frame(comms: list[str], start: int = 0) -> pd.DataFrame:
    count = len(comms)
    return pd.DataFrame(
        {
            "ts": np.arange(start, start + count).astype("m8[ns]"),
            "pid": np.arange(count, dtype=np.uint32),
            "comm": pd.Categorical(comms),
            "where": HexArray(np.arange(count, dtype=np.uint64)),
            "file": pd.Series([f"/{each}" for each in comms], dtype="str"),
            "data": pd.Series([b"\0"] * count, dtype=object),
        }
    )


class TestCombined:
    def test_rows_are_marked_and_types_stay(self) -> None:
        frames = {"web2": _frame(["cat", "sh"]), "web1": _frame(["ls", "cat", "ls"])}
        made = combined(frames)
        assert made.columns.tolist() == ["host", "ts", "pid", "comm", "where", "file", "data"]
        assert made.host.tolist() == ["web2"] * 2 + ["web1"] * 3
        assert made.host.cat.categories.tolist() == ["web2", "web1"]
        assert made.index.tolist() == [0, 1, 2, 3, 4]
        for name, kind in frames["web1"].dtypes.drop("comm").items():
            assert made[name].dtype == kind
        assert set(made.comm.cat.categories) == {"cat", "sh", "ls"}
        assert made.comm.tolist() == ["cat", "sh", "ls", "cat", "ls"]

    def test_the_frames_stay_as_they_were(self) -> None:
        frames = {"web1": _frame(["cat"]), "web2": _frame(["sh"])}
        combined(frames)
        pd.testing.assert_frame_equal(frames["web1"], _frame(["cat"]))

    def test_a_host_without_events_changes_no_type(self) -> None:
        empty = _frame([]).astype({"pid": np.int64, "ts": np.int64})
        made = combined({"web1": empty, "web2": _frame(["sh"])})
        assert made.dtypes.ts == "m8[ns]"
        assert made.dtypes.pid == np.uint32
        assert made.host.tolist() == ["web2"]
        assert made.host.cat.categories.tolist() == ["web1", "web2"]

    def test_no_events_at_all(self) -> None:
        made = combined({"web1": _frame([]), "web2": _frame([])})
        assert len(made) == 0
        assert made.columns.tolist()[0] == "host"
        assert made.dtypes.ts == "m8[ns]"

    def test_columns_that_one_host_lacks(self) -> None:
        made = combined({"web1": _frame(["sh"]).drop(columns="file"), "web2": _frame(["sh"])})
        assert made.file.isna().tolist() == [True, False]

    def test_events_that_have_a_host_of_their_own(self) -> None:
        frames = {name: pd.DataFrame({"host": [7]}) for name in ("web1", "web2")}
        made = combined(frames)
        assert made.host.tolist() == [7, 7]
        assert made.on_host.tolist() == ["web1", "web2"]

    def test_times_are_counted_from_one_moment(self) -> None:
        made = combined({"web1": _frame(["sh"], 5), "web2": _frame(["sh"], 7)})
        began = pd.DataFrame({"host": ["web1", "web2"], "began": pd.to_timedelta([0, 100], unit="ns")})
        times = common_time(made, "ts", began)
        assert times.tolist() == pd.to_timedelta([5, 107], unit="ns").tolist()
        with pytest.raises(UsageProblem, match="pid is no column of times") as raised:
            common_time(made, "pid", began)
        assert raised.value.hint == "those are ts"


class TestOffset:
    @given(
        st.integers(-(10**18), 10**18),
        st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=5, max_size=5),
    )
    def test_the_truth_is_within_the_bounds(self, ahead: int, ways: list[tuple[int, int]]) -> None:
        now = 10**15
        rounds = iter(ways)
        there, back = 0, 0

        def ask() -> int:
            nonlocal now, there, back
            there, back = next(rounds)
            now += there
            answer = now + ahead
            now += back
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clocks.time, "monotonic_ns", lambda: now)
            measured = Offset.measured(ask)
        assert measured.low <= ahead <= measured.high
        assert abs(measured.ns - ahead) <= measured.within
        assert measured.high - measured.low == min(there + back for there, back in ways)

    def test_clocks_that_drift_apart(self) -> None:
        both = Offset(10, 20).and_later(Offset(14, 50))
        assert (both.low, both.high, both.ns, both.within) == (10, 50, 30, 20)


def _result(**different: Any) -> HostResult:
    facts = (Fact("2 events"), Fact("0 lost"))
    whole: dict[str, Any] = {field.name: None for field in fields(HostResult)}
    whole |= {"frames": {"events": _frame(["cat", "sh"])}, "maps": {"seen": pd.DataFrame({"key": [1]})}}
    whole |= {"main": "events", "header": "2 events · 0 lost", "facts": facts, "notes": (), "warnings": ()}
    whole |= {"delivered": 2, "dropped": 0, "clock": TraceClock(100, 100, 100, 100)}
    return HostResult(**whole | different)


class TestGathered:
    def _made(self, *, only: bool = False, **results: HostResult) -> Gathered:
        machine = Machine("", "", "", boot="same", pid=1, python="", pandas="", lab="")
        made = Gathered(dict.fromkeys(results, machine), {}, only=only)
        made.results = results
        made._offsets = {name: Offset(-1_000_000, 3_000_000) for name in results}
        return made

    def test_a_line_for_all_and_one_for_each_host(self) -> None:
        made = self._made(a=_result(), web2=_result(clock=TraceClock(5_000_100, 0, 0, 0)))
        assert made.header == (
            "2 hosts · 4 events · 0 lost · attached within 5.0 ms of each other · clocks compared to ±2.0 ms"
        )
        assert made.notes[:2] == ("a: 2 events · 0 lost", "web2: 2 events · 0 lost")
        one = self._made(a=_result())
        assert one.header == "a · 2 events · 0 lost"
        assert one.notes == ()

    def test_what_is_wrong_on_one_host_is_wrong(self) -> None:
        lossy = _result(dropped=7, facts=(Fact("7 lost", bad=True), Fact("3 undecoded", bad=True)))
        made = self._made(web1=_result(), web2=lossy)
        made.errors["web3"] = HostFailed("its engine has ended")
        assert [fact.text for fact in made.facts if fact.bad] == [
            "7 lost",
            "web2: 3 undecoded",
            "without web3",
        ]

    def test_notes_say_whose_they_are(self) -> None:
        results = {"web1": _result(notes=("events: 5 kept",)), "web2": _result()}
        kept, shared = self._made(**results).notes[2:]
        assert kept == "web1: events: 5 kept"
        assert shared.startswith("web1 and web2 share one kernel: ")
        assert self._made(only=True, **results).notes[2:] == (kept,)

    def test_tables_and_plots(self) -> None:
        made = self._made(web1=_result(), web2=_result())
        assert list(made.tables) == ["events", "seen"]
        assert made.tables["seen"].host.tolist() == ["web1", "web2"]
        assert made.main is made.frame
        assert "trace.plot.timeline(" in repr(made.plot)

    def test_only_maps(self) -> None:
        maps = {"a": pd.DataFrame({"key": [1]}), "seen": _frame([])}
        result = _result(frames={}, main="seen", maps=maps, delivered=0)
        made = self._made(web1=result, web2=result)
        assert list(made.tables) == ["seen", "a"]
        assert made.header.startswith("2 hosts · 2 maps · attached within ")
        assert made.frame.columns.tolist()[0] == "host"

    def test_nothing_came(self) -> None:
        with pytest.raises(UsageProblem, match="no results"):
            _ = self._made().frame
        with pytest.raises(UsageProblem, match="nothing to show"):
            _ = self._made(web1=_result(frames={}, maps={}, main="")).frame


class TestErrors:
    def test_the_same_error_everywhere(self) -> None:
        def made() -> CompileError:
            error = CompileError("unknown type", where=(Mark(1, "foo x;", 1, 3),), log="log")
            error.source = "foo x;"
            return error

        one = as_one({"web1": made(), "web2": made()}, 2)
        assert isinstance(one, CompileError)
        assert one.block().startswith("CompileError: web1 and web2: unknown type\n  line 1:  foo x;")
        assert (one.source, one.log) == ("foo x;", "log")

    def test_different_errors_are_told_each(self) -> None:
        missing = MissingFeature("no kprobes", hint="a tracepoint")
        errors = {"web1": CompileError("unknown type"), "web2": missing}
        one = as_one(errors, 3)
        assert isinstance(one, HostFailed)
        assert one.block() == (
            "HostFailed: 2 of 3 hosts failed\n"
            "  why   web1: CompileError: unknown type\n"
            "        web2: MissingFeature: no kprobes\n"
            "          fix   a tracepoint"
        )

    def test_errors_travel_whole(self) -> None:
        error = VerifierRejected("no", where=(Mark(1, "x"),), why="a", hint="b", log="c", rule="null check")
        error.source = "x"
        there = pickle.loads(pickle.dumps(error))
        assert (there.block(), there.rule, there.source) == (error.block(), "null check", "x")


class TestOptions:
    def test_hosts(self) -> None:
        assert parse_cell("--on web1,web2").hosts == ("web1", "web2")
        assert parse_cell("--on all -- true").hosts == ("all",)
        assert parse_cell("").hosts == ()

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("--on web1,,web2", "a name is missing between the commas"),
            ("--on web1,web1", "web1 is named twice"),
            ("--on all,web1", "all hosts are meant already"),
            ("--on", "--on needs HOSTS behind it"),
            (
                "--on web1 --bg",
                "--bg and --on do not go together:"
                " with hosts, the cell waits until the trace has ended on all of them",
            ),
            (
                "--on=web1 --record=a.zip",
                "--record and --on do not go together: a recording is of one kernel",
            ),
            (
                "--replay a.zip --on web1",
                "--replay and --on do not go together: a recording is replayed here",
            ),
        ],
    )
    def test_refused(self, line: str, what: str) -> None:
        with pytest.raises(UsageProblem) as raised:
            parse_cell(line)
        assert raised.value.what == what
        assert raised.value.where


class TestConnect:
    def test_without_ipyparallel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "ipyparallel", None)
        with pytest.raises(MissingFeature, match="ipyparallel") as raised:
            connect()
        assert "pip install 'ipyparallel" in raised.value.hint

    @pytest.mark.parametrize("where", ["", "lab", "lab:morning"])
    def test_without_a_cluster(self, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("ipyparallel")
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
        with pytest.raises(HostFailed, match="no cluster is") as raised:
            connect(where)
        name = "ipcontroller-morning-client.json" if where == "lab:morning" else "ipcontroller-client.json"
        profile = where.partition(":")[0] or "default"
        assert f"{tmp_path}/profile_{profile}/security/{name}" in raised.value.why

    @pytest.mark.parametrize("content", ["", "{}", "[1]", '{"interface": 5, "task_scheme": ""}'])
    def test_a_file_that_is_none(self, content: str, tmp_path: Path) -> None:
        pytest.importorskip("ipyparallel")
        file = tmp_path / "ipcontroller-client.json"
        file.write_text(content)
        with pytest.raises(HostFailed, match="does not answer"):
            connect(str(file))


def test_nothing_of_it_is_imported_until_it_is_used() -> None:
    script = """
import sys
import ebpf_lab.notebook.magics
late = ("ipyparallel", "ebpf_lab.hosts", "ebpf_lab.notebook.hosts")
print([name for name in sys.modules if name.startswith(late)])
"""
    done: Any = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
