execs = halves[(halves.nr_name == "execve") & (halves.half == "ENTRY")]
assert len(execs) == 2, execs
assert halves.tid.nunique() == 1, halves
assert tuple(unequal.loc["exit_group"]) == (1, 0), unequal
assert unequal.loc["number -1", "RETURN"] == unequal.loc["rt_sigreturn", "ENTRY"] > 0, unequal
assert missing == {"exit_group"}, missing
assert joined.call.str.startswith("execve(").sum() == 2, joined
assert by["thread"].to_numpy().tolist() == [[923, 4096, 5], [929, 64, 7]], by
assert by["process"].to_numpy().tolist() == [[929, 64, 5]], by
assert len(opens) == 23, opens
assert (opens.at_entry == "").all(), opens
assert opens.at_return.nunique() == 1, opens
assert (opens.at_return != "").all(), opens
assert (opens.ret == -2).all(), opens
started = calls[(calls.nr_name == "execve") & (calls.ret == 0)]
assert started.path.tolist() == ["/usr/bin/python3", "/bin/cat"], started
assert calls.call[calls.path == "/no/such"].str.contains("ENOENT").tolist() == [True], told
assert calls.call[calls.nr_name == "exit_group"].str.endswith("= ?").tolist() == [True, True], told
assert (calls.tid != calls.pid)[calls.path == "/usr"].any(), told
assert (whole.groupby("nr_name", observed=True).size() > 0).all(), whole
if live:
    assert len(ours) > 90, ours
    assert both.ours.tolist() == both.strace.tolist(), both
    assert costs["strace -f"] > costs["this lesson's tracer"] > costs["nobody looks"] > 0, costs
