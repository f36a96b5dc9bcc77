assert counted["value"].tolist()[0] >= 23, counted
assert not bytecode.code.str.startswith("call").any(), bytecode
assert len(lookup) > 4, lookup
assert "lock" in added["bytecode"][-1], added
assert len(native) > 10, native
assert kinds.calls["ARRAY"] == "", kinds
assert "htab" in kinds.calls["HASH"], kinds
assert "htab" in kinds.calls["LRU_HASH"], kinds
assert switches.calls.tolist() == [0, 1, 1], switches
assert switches.instructions.iloc[0] < switches.instructions.iloc[1], switches
assert len(asked) == 3, asked
assert (asked["read"] == asked.pid).all(), asked
assert (asked.is_old == 0).all(), asked
assert code.code.str.contains(rf"\b{asked.offset[0]}\b").any(), code
assert len(reads) == 2, code
if live:
    assert by_hand["tgid"] == asked.offset[0], (by_hand["tgid"], asked)
    assert there["STRUCT"] > 1000, there
if live and has("bcc", "headers"):
    assert ways["read what it should"].tolist()[1:] == [True, True], ways
    assert (ways.offset.iloc[1:] == asked.offset[0]).all(), ways
    assert ways["read what it should"].iloc[0] == (ways.offset.iloc[0] == asked.offset[0]), ways
