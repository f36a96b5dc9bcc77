assert len(asked) == 10007, asked
assert tracer.runs >= 10007, tracer
assert tracer.ns_per_run > 0, tracer
assert len(parts) == 9, parts
assert (parts.runs >= 4001).all(), parts
assert len(sent) == 4001, sent
# Not one by one: a machine that is busy may stop in the middle of any of them.
dear = ["print_a_line", "chain_in_program", "chain_in_kernel"]
assert parts["ns a run"][dear].min() > parts["ns a run"].min() > 0, parts
assert alone > 0, alone
for name, features_of_it in {
    "tracepoint": ("tracepoint",),
    "raw tracepoint": ("raw_tracepoint",),
    "kprobe": ("kprobe",),
    "kretprobe": ("kprobe",),
    "fentry": ("fentry",),
    "fexit": ("fentry",),
    "uprobe": ("uprobe",),
    "uretprobe": ("uprobe",),
}.items():
    assert (name in costs.index) == has(*features_of_it), (name, costs)
way = costs["added to a call"] - costs["counted by the kernel"]
for name in {"uprobe", "uretprobe"} & set(costs.index):
    assert costs["added to a call"][name] > costs["added to a call"]["tracepoint"], costs
    assert way[name] > 0, costs
assert {"head", "sha256sum"} <= set(busy.index), busy
assert sampling.ns_per_run > 0, sampling
assert samples.kernel_stack.str.contains("chacha")[samples.comm == "head"].any(), samples
assert thinned.events["one in 1"] == 20011, thinned
assert (thinned.events > 0).all(), thinned
assert abs(thinned.events["one in 64"] - 313) < 110, thinned
assert abs(thinned.events["one in 8"] - 2501) < 300, thinned
assert len(sleeps) == 400, sleeps
assert (late.loc["p50"] <= late.loc["p99"]).all(), late
assert (late.loc["p99"] <= late.loc["worst"]).all(), late
if live:
    assert lab >= max(counts) >= 1009, (lab, counts)
