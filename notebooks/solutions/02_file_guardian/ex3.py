def ex3(frame):
    opened = frame[frame.filename.str.endswith(".txt") & (frame.ret >= 0)]
    processes = opened.groupby("filename").pid.nunique()
    return list(processes.index[processes > 1])
