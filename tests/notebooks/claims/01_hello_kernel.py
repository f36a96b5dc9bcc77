assert set(lines.message.astype(str).str.strip()) >= set(map(str, range(2000)))
assert set(numbers.offset) >= set(range(2000))
assert text.ns_per_run > 0
assert number.ns_per_run > 0
if has("kprobe"):
    came = doors.message.astype(str).str.strip().value_counts()
    assert came["room: kernel_clone"] == 3, came
    assert came.sum() == 6, came
    assert len(seen.frame) >= 7, seen.frame
