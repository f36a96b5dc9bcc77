def ex2(frame):
    texts = frame[frame.filename.str.endswith(".txt")]
    return texts.filename.value_counts().index[0]
