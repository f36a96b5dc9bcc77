"""Reading maps, stacks and counts of the real kernel."""

import errno
import threading
from contextlib import suppress

import numpy as np
import pytest
from support.programs import loaded, run, the_map

from ebpf_lab.backends.loaded import LossCounter
from ebpf_lab.host.syscalls import possible_cpus
from ebpf_lab.readers import maps
from ebpf_lab.readers.counts import ProgramCounts, read_losses
from ebpf_lab.readers.elements import delete, lookup, update
from ebpf_lab.readers.maps import read_map, read_stacks

CPUS = len(possible_cpus())
FILLED = """
struct the_key { __u32 number; __u8 letter; } __attribute__((packed));
struct the_value { __u64 square; __u32 number; } __attribute__((packed));
struct {
    __uint(type, BPF_MAP_TYPE_KIND); __uint(max_entries, ENTRIES); FLAGS
    __type(key, KEY); __type(value, struct the_value);
} store SEC(".maps");
static long one(__u32 i, void *unused)
{
    KEY key = MAKE;
    struct the_value value = { (__u64)i * i, i };
    bpf_map_update_elem(&store, &key, &value, 0);
    return 0;
}
SEC("raw_tp/sys_enter") int produce(struct bpf_raw_tracepoint_args *ctx)
{
    return bpf_loop(ctx->args[0], one, 0, 0);
}
"""


def filled(kind: str, entries: int) -> str:
    array = "ARRAY" in kind
    text = FILLED.replace("KIND", kind).replace("ENTRIES", str(entries)).replace("FLAGS", "")
    return text.replace("KEY", "__u32" if array else "struct the_key").replace(
        "MAKE", "i" if array else "{ i, 'x' }"
    )


def numbers(values: np.ndarray) -> np.ndarray:
    """The ``number`` of each value, (n, cpus)."""
    assert values.shape[2] == 12
    found = np.ascontiguousarray(values).view([("square", "<u8"), ("number", "<u4")])[:, :, 0]
    assert (found["square"] == found["number"].astype(np.uint64) ** 2).all()
    return found["number"]


@pytest.fixture(params=["batches", "singly"])
def way(request, monkeypatch):
    """Both ways to read a map: old kernels know only the second, for some kinds."""
    if request.param == "singly":
        monkeypatch.setattr(maps, "_read_batches", lambda *_: None)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("count", [0, 1, 997])
@pytest.mark.parametrize("kind", ["HASH", "LRU_HASH", "PERCPU_HASH", "LRU_PERCPU_HASH"])
def test_a_hash_is_read_whole(kind, count):
    with loaded(filled(kind, 4096)) as programs:
        store = the_map(programs, "store")
        run(programs, count, cpu=0)
        contents = read_map(store)
        assert (contents.why, contents.complete) == ("", True)
        keys = contents.keys.copy().view([("number", "<u4"), ("letter", "S1")])[:, 0]
        assert sorted(keys["number"].tolist()) == list(range(count))
        assert set(keys["letter"].tolist()) <= {b"x"}
        values = numbers(contents.values)
        assert values.shape == (count, CPUS if "PERCPU" in kind else 1)
        assert (values[:, 0] == keys["number"]).all()
        assert not values[:, 1:].any()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", ["ARRAY", "PERCPU_ARRAY"])
def test_an_array_is_read_whole(kind):
    with loaded(filled(kind, 997)) as programs:
        run(programs, 500, cpu=0)
        contents = read_map(the_map(programs, "store"))
        assert contents.keys.view("<u4")[:, 0].tolist() == list(range(997))
        assert numbers(contents.values)[:, 0].tolist() == list(range(500)) + [0] * 497


def test_a_large_map_takes_several_batches():
    with loaded(filled("HASH", 70_001)) as programs:
        run(programs, 50_021)
        contents = read_map(the_map(programs, "store"))
        assert np.unique(contents.keys, axis=0).shape == (50_021, 5)
        assert np.array_equal(np.sort(numbers(contents.values)[:, 0]), np.arange(50_021))


def test_a_bucket_larger_than_the_batch(monkeypatch):
    """With few buckets an element's bucket has many others, and the kernel wants room for all of them."""
    monkeypatch.setattr(maps, "_BATCH_BYTES", 1)
    monkeypatch.setattr(maps, "_LEAST_BATCH", 1)
    with loaded(filled("HASH", 997)) as programs:
        run(programs, 997)
        assert len(read_map(the_map(programs, "store")).keys) == 997


@pytest.mark.usefixtures("way")
def test_reading_stops_at_the_limit():
    with loaded(filled("HASH", 65536)) as programs:
        run(programs, 65536)
        contents = read_map(the_map(programs, "store"), limit=100_000)
        assert not contents.complete
        assert 0 < len(contents.keys) < 65536


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", ["HASH", "LRU_HASH"])
def test_a_map_that_changes_while_it_is_read(kind):
    with loaded(filled(kind, 2003)) as programs:
        store = the_map(programs, "store")
        run(programs, 1009)
        stop = threading.Event()

        def change() -> None:
            number = 0
            while not stop.is_set():
                number = (number + 1) % 500
                key = number.to_bytes(4, "little") + b"x"
                with suppress(FileNotFoundError):
                    delete(store.fd, key)
                update(store.fd, key, (number * number).to_bytes(8, "little") + number.to_bytes(4, "little"))

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(20):
                contents = read_map(store)
                found = numbers(contents.values)[:, 0].tolist()
                assert len(set(found)) == len(found)
                if contents.complete:
                    assert set(range(500, 1009)) <= set(found)
        finally:
            stop.set()
            thread.join()


def test_a_trie_is_read():
    text = """
    struct prefix { __u32 length; __u8 address[4]; };
    struct {
        __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 97); __uint(map_flags, 1);
        __type(key, struct prefix); __type(value, __u32);
    } routes SEC(".maps");
    SEC("raw_tp/sys_enter") int produce(struct bpf_raw_tracepoint_args *ctx)
    {
        struct prefix home = { 8, { 127 } }, office = { 16, { 10, 1 } };
        __u32 one = 1, two = 2;
        bpf_map_update_elem(&routes, &home, &one, 0);
        bpf_map_update_elem(&routes, &office, &two, 0);
        return 0;
    }
    """
    with loaded(text) as programs:
        run(programs, 0)
        contents = read_map(the_map(programs, "routes"))
        found = {
            key.tobytes(): value.tobytes() for key, value in zip(contents.keys, contents.values, strict=True)
        }
        assert found == {b"\x08\0\0\0\x7f\0\0\0": b"\1\0\0\0", b"\x10\0\0\0\x0a\1\0\0": b"\2\0\0\0"}


@pytest.mark.parametrize(
    ("kind", "key", "why"),
    [
        ("QUEUE", "", "taking elements out"),
        ("BLOOM_FILTER", "", "asked"),
        ("PROG_ARRAY", "__type(key, __u32);", "programs"),
    ],
)
def test_a_map_that_cannot_be_read_says_why(kind, key, why):
    text = f"""
    struct {{
        __uint(type, BPF_MAP_TYPE_{kind}); __uint(max_entries, 8); {key} __type(value, __u32);
    }} odd SEC(".maps");
    SEC("raw_tp/sys_enter") int produce(void *ctx) {{ return 0; }}
    """
    with loaded(text) as programs:
        contents = read_map(the_map(programs, "odd"))
        assert why in contents.why
        assert len(contents.keys) == len(contents.values) == 0


def test_stacks_are_addresses_innermost_first():
    text = """
    struct {
        __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 64);
        __uint(key_size, 4); __uint(value_size, 127 * 8);
    } stacks SEC(".maps");
    SEC("raw_tp/sys_enter") int produce(void *ctx) { return bpf_get_stackid(ctx, &stacks, 0); }
    """
    with loaded(text) as programs:
        assert read_stacks(the_map(programs, "stacks")) == {}
        number = run(programs, 0)
        stacks = read_stacks(the_map(programs, "stacks"))
        assert set(stacks) == {number}
        addresses = stacks[number]
        assert 1 <= len(addresses) < 127
        assert (addresses >> np.uint64(63) == 1).all()  # kernel code, without the zeros behind it


def test_losses_are_added_up_over_cpus_and_counters():
    with loaded(filled("PERCPU_ARRAY", 4)) as programs:
        store = the_map(programs, "store")
        stride = 16
        first, second = (
            b"".join((base * (cpu + 1)).to_bytes(8, "little").ljust(stride, b"\0") for cpu in range(CPUS))
            for base in (10, 1000)
        )
        update(store.fd, bytes(4), first)
        update(store.fd, b"\1\0\0\0", second)
        total = sum(range(1, CPUS + 1))
        counters = [
            LossCounter("a", store, 0, 0),
            LossCounter("a", store, 1, 0),
            LossCounter("b", store, 1, 0),
        ]
        assert read_losses(counters) == {"a": 1010 * total, "b": 1000 * total}


@pytest.mark.needs("stats")
def test_runs_of_programs_are_counted():
    with (
        loaded(filled("ARRAY", 4)) as programs,
        ProgramCounts({"produce": programs.programs[0].fd}) as counts,
    ):
        assert counts.why == ""
        assert counts.read()["produce"].runs == 0
        assert counts.read()["produce"].ns_per_run is None
        for _ in range(23):
            run(programs, 4)
        count = counts.read()["produce"]
        assert count.runs == 23
        assert 0 < count.ns_per_run < 1e6
        assert count.missed == 0


def test_without_the_privilege_the_reason_is_given(monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with loaded(filled("ARRAY", 4)) as programs:
        monkeypatch.setattr("ebpf_lab.readers.counts.bpf", refuse)
        monkeypatch.setattr("ebpf_lab.readers.counts._SYSCTL", "/nowhere")
        with ProgramCounts({"produce": programs.programs[0].fd}) as counts:
            assert counts.why
            count = counts.read()["produce"]
            assert (count.runs, count.ns_per_run) == (None, None)


def test_an_element_that_is_not_there_is_none():
    with loaded(filled("HASH", 4)) as programs:
        assert lookup(the_map(programs, "store").fd, bytes(5), 12) is None
