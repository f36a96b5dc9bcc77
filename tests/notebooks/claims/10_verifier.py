assert len(walk) > 5, walk
if live:
    assert branches["path"].max() <= 8, branches
    assert list(walked["a loop"].diff().dropna() > 0) == [True, True], walked
    assert walked["bpf_loop"].nunique() == 1, walked
    assert walked.loc[1000, "a loop"] > 50 * walked.loc[10, "a loop"], walked
