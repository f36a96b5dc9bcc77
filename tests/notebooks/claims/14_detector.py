assert (scene.what == "started").sum() >= 8, scene
assert set(read_by_strangers.comm) == {"cat", "wc"}, read_by_strangers
assert list(dropped(scene).writer) == ["cp"], dropped(scene)
assert (day.what == "opened").sum() >= 16, day
assert scores.loc["rule"].to_dict() == {"alarms": 16, "true": 3, "false": 13, "missed": 0}, scores
assert scores.loc["with an exception"].to_dict() == {"alarms": 2, "true": 2, "false": 0, "missed": 1}, scores
assert list(fooled.early) == ["decoy.key", "holiday.jpg", ""], fooled
assert list(fooled.late) == ["decoy.key", "holiday.jpg", "decoy.key"], fooled
assert (fooled.ret >= 0).all(), fooled
assert len(killed) == 1, killed
assert (killed.ret >= 0).all(), killed
if has("lsm"):
    assert list(refused.comm) == ["cat", "cat"], refused
    assert list(refused.name) == ["decoy.key", "decoy.key"], refused
if live:
    assert readable
    if has("lsm") and modules.exists():
        assert "bpf" in modules.read_text().strip().split(",")
