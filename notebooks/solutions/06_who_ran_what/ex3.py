def ex3(frame):
    names = frame.file.str.rpartition("/")[2]
    found = (frame.ret == 0).groupby(names).any()
    return list(found.index[~found])
