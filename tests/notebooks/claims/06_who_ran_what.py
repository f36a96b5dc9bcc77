assert list(asked.at_entry[1:]) == ["/a/uname", "/b/uname", "/c/uname", "/bin/uname"], asked
assert list(asked.ret) == [0, -2, -2, -2, 0], asked
assert list(asked.at_return) == ["", "/a/uname", "/b/uname", "/c/uname", ""], asked
assert asked.pid.nunique() == 1, asked
failed = tries.set_index("at_entry").ret_errno
assert failed["/no/such"] == "ENOENT", tries
assert failed["/etc/passwd"] == failed["/etc"] == "EACCES", tries
assert failed["/etc/passwd/x"] == "ENOTDIR", tries
assert (tries.ret_errno == "ENOEXEC").sum() == 1, tries
assert b"".join(said) == b"I ran\n", said
assert list(lost.frame.comm) == ["python3"], lost.frame
assert "/bin/true" in list(left.at_entry), left
row = {args: (pid, ppid) for args, pid, ppid in zip(family.args, family.pid, family.ppid, strict=True)}
assert row["/bin/uname -s"][1] not in set(family.pid), family
assert row["/bin/echo the end"][0] == family.pid[0] == row["cat"][1], family
assert (family.args == "/bin/true").sum() == 2, family
assert list(lies.file) == ["/usr/bin/python3", "/bin/sleep"], lies
assert lies.args.iloc[1] == "'[kworker/0:1]' 0", lies
assert lies.pid.nunique() == 1, lies
three = boxes[boxes.comm == "true"]
assert len(three) == 3, boxes
assert list(three.ns_level - boxes.ns_level[0]) == [0, 1, 0], boxes
assert three.ns_pid.iloc[1] == 1, boxes
assert three.pid_ns.nunique() == 2, boxes
assert three.uts_ns.iloc[0] not in list(three.uts_ns.iloc[1:]), boxes
if live:
    assert (both["our program"] == both["/proc"]).all(), both
