assert {"execve", "openat", "close"} <= set(calls.nr_name), calls
assert (calls["count"] > 0).all(), calls
assert added["atomic"] == added["per_cpu"] == 10_000_000 >= added["plain"] > 0, added
assert list(hashed.key) == list(range(16)), hashed
assert hashed.set_index("key").value[3] == 41, hashed
assert {3, 39} <= set(recent.key), recent
assert len(recent) <= 16, recent
assert recent.set_index("key").value[3] == 41, recent
assert took["count"].sum() == 1000, took
assert (answers.sent == answers.counted)[answers.index > 0].all(), answers
if live:
    assert program >= kernel == 997, (program, kernel)
assert costs["ns a call"].iloc[0] > costs["ns a call"].iloc[1] > 0, costs
