if live:
    assert before == after != during, (before, during, after)
    assert told.equals(walks[["n", "count"]].astype(int)), (told, walks)
    assert costs["uprobe"] > costs["nothing attached"], costs
    assert costs["uretprobe"] > costs["nothing attached"], costs
assert len(printed) == 7, printed
assert list(printed.format[1:]) == ["%d: %d steps\n"] * 6, printed
assert called["./greet-O0"].to_dict() == {"ODD": 205, "FOLLOWING": 205, "STEPS": 7, "PUTS": 1, "PRINTF": 7}, (
    called
)
assert called["./greet-O2"].to_dict() == {"ODD": 0, "FOLLOWING": 0, "STEPS": 7, "PUTS": 1, "PRINTF": 7}, (
    called
)
assert list(texts.looked) == ["", "from a file", "from a file"], texts
assert list(texts.waited) == ["from a file"] * 3, texts
assert list(texts.faults) == [1, 0, 0], texts
assert list(walks.n) == list(range(23, 30)), walks
assert list(walks["count"]) == [15, 10, 23, 10, 111, 18, 18], walks
assert list(pauses.collected) == [23, 1009, 100003], collections
