import socket

if has("xdp", "veth"):
    assert (seen["size"] == 142).sum() == 5, seen
    found = ports.set_index("key")["value"]
    assert [found[7000 + n] for n in range(1, 8)] == list(range(1, 8)), ports
if live and has("xdp", "veth"):
    assert came == {7777: 0, 7778: 23}, came
    assert stopped == 23, stopped
    assert on_the_wire >= 46, on_the_wire
    # A kernel may have been made without the place for such programs.
    assert "dropped 23" in done.stdout or "qdisc kind is unknown" in done.stderr, done
    assert "lesson0" not in [name for _, name in socket.if_nameindex()]
    wire = network.pair()  # for the cells of the solutions; it ends with this kernel
