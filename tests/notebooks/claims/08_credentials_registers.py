if has("kprobe"):
    workers = asked[asked.comm.str.startswith("kworker")]
    assert len(workers) == 7, asked
    assert (workers.uid == 0).all(), asked
    assert len(entries) == 5, entries
    assert {2, 12} & set(places), places  # x2 on arm64, rdx on x86-64
    assert list(returns.came) == [2305] * 5, returns
    helpers = rooted[~rooted.program]
    assert len(helpers) == 7, rooted
    assert (helpers.new_uid == 0).all(), rooted
    x86 = len(first) == 21  # registers; on arm64 the nearest caller is in one of them, and not in the chain
    caller = "call_usermodehelper_exec_async" if x86 else "ret_from_fork"
    assert helpers["stack"].str.contains(caller).all(), rooted
    assert list(changes.by.fillna("x30")) == ["execve", "capset" if x86 else "x30", "unshare"], changes
    assert int(changes.after.iloc[1]) == int(changes.before.iloc[2]) == 0, changes
    assert int(changes.after.iloc[2]) > 0, changes
    assert list(changes.same_namespace) == [True, True, False], changes
if has("fentry"):
    assert list(typed.asked) == list(typed.came) == [2305] * 5, typed
    assert (typed.device == (1 << 20) + 5).all(), typed
if live:
    assert told == (int(read.uid), int(read.capabilities)), (told, read)
if live and has("kprobe", "fentry"):  # not their order: an emulated processor's speed changes meanwhile
    assert list(costs) == ["kprobe", "kretprobe", "fentry", "fexit"], costs
