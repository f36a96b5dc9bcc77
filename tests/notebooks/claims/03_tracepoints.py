tried = ["/bin/true", "/no/such/program", "/bin/uname"]
assert list(attempts.filename[-3:]) == list(named.filename[-3:]) == tried, (attempts, named)
assert list(started.filename[-2:]) == ["/bin/true", "/bin/uname"], started
assert len(attempts) == len(named) == len(started) + 1 == 4, (attempts, named, started)
assert len(moved) == 3, moved
assert (moved["read"] == moved.pid).all(), moved
assert (moved.claimed_offset == 0).all(), moved
assert (moved.real_offset > 0).all(), moved
if live:
    assert len(there) > 500, there
    assert (offsets["format file"] == offsets["BTF"]).all(), offsets
if has("tp_btf"):
    assert list(typed.filename[-2:]) == ["/bin/true", "/bin/uname"], typed
    assert (typed.ppid[1:] == typed.pid[0]).all(), typed
if live and has("raw_tracepoint"):
    assert costs["tp/syscalls/sys_enter_lseek"] > costs["nothing attached"], costs
