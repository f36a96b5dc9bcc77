assert (opened.filename == "/etc/hostname").sum() == 1, opened
assert opened.flags_names[opened.filename == "/etc/hostname"].item() == "O_RDONLY", opened
assert opened.filename.str.len().max() == 23, opened
assert len(longest) == 2 * 200 + len("/etc/hostname"), longest
assert (whole.filename == longest).sum() == 1, whole
assert small > 0, small
assert large > 0, large
asked = ["O_RDONLY", "O_WRONLY|O_CREAT|O_TRUNC", "O_WRONLY|O_CREAT|O_APPEND", "O_RDWR|O_CREAT"]
assert list(redirections.flags_names) == asked, redirections
last = tried.tail(3)
assert list(last.copied) == [-14, 14, 14], last
assert list(last.at_entry) == ["", "/etc/hostname", "/no/such/file"], last
assert list(last.filename) == ["/etc/hostname", "/etc/hostname", "/no/such/file"], last
assert list(last.ret >= 0) == [True, True, False], last
assert last.ret_errno.iloc[2] == "ENOENT", last
assert {"id", "ls"} <= set(readers), readers
assert not {"date", "python3"} & set(readers), readers
assert shared.max() > 3, shared
assert list(door.filename) == ["/etc/hostname"], door
assert len(room) == room.said.nunique() == 5, room
assert set(room["name"]) == {"hostname"}, room
assert set(room.directory) == {"etc"}, room
if live:
    assert len(mine) == 7, mine
    assert set(mine.ret.map(proc)) == {"/etc/hostname"}, mine
