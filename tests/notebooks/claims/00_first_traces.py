assert list(attempts.comm[-2:]) == ["sh", "sh"], attempts
assert len(attempts) == 3, attempts
assert (opened.filename == "/etc/hostname").sum() == 1, opened
assert opened.flags_names[opened.filename == "/etc/hostname"].item() == "O_RDONLY", opened
assert len(seen) >= 7, seen
