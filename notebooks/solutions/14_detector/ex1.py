def ex1(frame):
    opened = frame[(frame.ret >= 0) & frame.filename.str.endswith(".key") & (frame.comm != "keeper")]
    return set(opened.pid)
