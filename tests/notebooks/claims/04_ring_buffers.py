assert list(seeks.offset) == [0, 1, 2, 3, 4], seeks
assert came.delivered + came.dropped == 400, came
assert came.dropped > 0, came
assert (sizes.sum(axis=1) == 4000).all(), sizes
assert sizes.lost[4] > 0, sizes
assert sizes.lost[256] == 0, sizes
assert list(ring.offset) == list(range(2000)), ring
assert sorted(perf.offset) == list(range(2000)), perf
assert program.runs >= stream.delivered + stream.dropped == 2000, (program, stream)
