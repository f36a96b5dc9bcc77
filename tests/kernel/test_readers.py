"""Ring and perf buffers of the real kernel: every event arrives, or is counted as lost."""

import select
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from support.programs import loaded, run

from ebpf_lab.errors import UsageProblem
from ebpf_lab.host.syscalls import online_cpus
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.counts import read_losses
from ebpf_lab.readers.elements import delete
from ebpf_lab.readers.perfbuf import PerfBuffer
from ebpf_lab.readers.ringbuf import RingBuffer

EVENT = np.dtype([("n", "<u8"), ("square", "<u8"), ("cpu", "<u4"), ("_", "<u4"), ("ts", "<u8")])

COMMON = """
struct event { __u64 n, square; __u32 cpu, _; __u64 ts; };
struct task { __u64 first, submit_flags; };
static __always_inline void fill(struct event *e, __u64 n)
{
    e->n = n; e->square = n * n; e->cpu = bpf_get_smp_processor_id(); e->_ = 0; e->ts = bpf_ktime_get_ns();
}
"""

RING = (
    COMMON
    + """
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, SIZE); } events SEC(".maps");
static long one(__u32 i, struct task *task)
{
    struct event *e = bpf_ringbuf_reserve(&events, sizeof *e, 0);
    if (!e)
        return 0;
    fill(e, task->first + i);
    bpf_ringbuf_submit(e, task->submit_flags);
    return 0;
}
SEC("raw_tp/sys_enter") int produce(struct bpf_raw_tracepoint_args *ctx)
{
    struct task task = { ctx->args[1], ctx->args[2] };
    return bpf_loop(ctx->args[0], one, &task, 0);
}
"""
)

PERF = (
    COMMON
    + """
struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __type(key, __u32); __type(value, __u32); ENTRIES
} events SEC(".maps");
struct sending { void *ctx; __u64 first; };
static long one(__u32 i, struct sending *sending)
{
    struct event e;
    fill(&e, sending->first + i);
    bpf_perf_event_output(sending->ctx, &events, BPF_F_CURRENT_CPU, &e, sizeof e);
    return 0;
}
SEC("raw_tp/sys_enter") int produce(struct bpf_raw_tracepoint_args *ctx)
{
    struct sending sending = { ctx, ctx->args[1] };
    return bpf_loop(ctx->args[0], one, &sending, 0);
}
"""
)


def ring_text(size: int) -> str:
    return RING.replace("SIZE", str(size))


def perf_text(entries: int | None = None) -> str:
    return PERF.replace("ENTRIES", f"__uint(max_entries, {entries});" if entries else "")


def decoded(batches: list[Batch]) -> np.ndarray:
    """All events in order of arrival."""
    rows = [batch.data[:, : EVENT.itemsize].copy().view(EVENT)[:, 0] for batch in batches]
    order = np.argsort(np.concatenate([batch.positions() for batch in batches]))
    return np.concatenate(rows)[order]


def drain_while(running: Callable[[], bool], reader: RingBuffer | PerfBuffer) -> list[Batch]:
    batches: list[Batch] = []
    with select.epoll() as epoll:
        for fd in reader.fds:
            epoll.register(fd, select.EPOLLIN)
        while running():
            epoll.poll(0.05)
            batches += reader.drain()
    while more := reader.drain():
        batches += more
    return batches


def open_ring(programs) -> RingBuffer:
    (stream,) = programs.streams
    return RingBuffer(stream.map.fd, stream.map.max_entries)


@pytest.fixture
def closing():
    opened = []

    def close_later(reader):
        opened.append(reader)
        return reader

    yield close_later
    for reader in opened:
        reader.close()


@pytest.mark.needs("ringbuf")
class TestRingBuffer:
    @pytest.mark.parametrize("count", [1, 23, 997])
    def test_every_event_arrives_once(self, count, closing):
        with loaded(ring_text(1 << 16)) as programs:
            reader = closing(open_ring(programs))
            assert reader.drain() == []
            run(programs, count, 0, 0)
            (batch,) = reader.drain()
            assert (batch.record_size, batch.order, batch.index) == (32, 0, None)
            events = decoded([batch])
            assert events["n"].tolist() == list(range(count))
            assert (events["square"] == events["n"] ** 2).all()
            assert reader.drain() == []
            assert read_losses(programs.losses) == {"events": 0}

    def test_goes_round_the_buffer_many_times(self, closing):
        with loaded(ring_text(4096)) as programs:
            reader = closing(open_ring(programs))
            batches = []
            for first in range(0, 101 * 97, 97):
                run(programs, 97, first, 0)
                batches += reader.drain()
            assert decoded(batches)["n"].tolist() == list(range(101 * 97))
            assert read_losses(programs.losses) == {"events": 0}

    def test_a_full_buffer_is_read_by_small_drains(self, closing):
        with loaded(ring_text(1 << 16)) as programs:
            reader = closing(open_ring(programs))
            run(programs, 1499, 0, 0)
            drains = []
            while batches := reader.drain(limit=1000):
                drains.append(sum(map(len, batches)))
                if len(drains) <= 3:
                    run(programs, 1, 1499 + len(drains) - 1, 0)
            assert set(drains[:-1]) == {25}
            assert sum(drains) == 1499 + 3

    def test_what_does_not_fit_is_counted(self, closing):
        with loaded(ring_text(4096)) as programs:
            reader = closing(open_ring(programs))
            run(programs, 10007, 0, 0)
            delivered = decoded(reader.drain())
            assert len(delivered) == 102  # 4096 // 40, and the first ones
            assert delivered["n"].tolist() == list(range(102))
            assert read_losses(programs.losses) == {"events": 10007 - 102}

    def test_a_flood_from_another_thread_is_delivered_or_counted(self, closing):
        rounds, size = 59, 9973
        with loaded(ring_text(1 << 18)) as programs:
            reader = closing(open_ring(programs))

            def flood() -> None:
                for round_ in range(rounds):
                    run(programs, size, round_ * size, 0)

            thread = threading.Thread(target=flood)
            thread.start()
            events = decoded(drain_while(thread.is_alive, reader))
            thread.join()
            lost = read_losses(programs.losses)["events"]
            assert len(events) + lost == rounds * size
            assert (np.diff(events["n"].astype(np.int64)) > 0).all()
            assert (events["square"] == events["n"] ** 2).all()

    def test_wakes_a_poller_except_when_told_not_to(self, closing):
        no_wakeup = 1
        with loaded(ring_text(4096)) as programs, select.epoll() as epoll:
            reader = closing(open_ring(programs))
            epoll.register(reader.fds[0], select.EPOLLIN)
            assert epoll.poll(0) == []
            waker = threading.Timer(0.05, run, (programs, 1, 0, 0))
            waker.start()
            began = time.monotonic()
            assert epoll.poll(5)
            assert time.monotonic() - began < 2
            waker.join()
            reader.drain()
            assert epoll.poll(0) == []

            sleeper = threading.Timer(0.01, run, (programs, 1, 1, no_wakeup))
            sleeper.start()
            assert epoll.poll(0.2) == []
            sleeper.join()
            assert decoded(reader.drain())["n"].tolist() == [1]

    def test_mixed_sizes_and_discarded_records(self, closing):
        text = """
        struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } events SEC(".maps");
        static long one(__u32 i, void *unused)
        {
            char bytes[32];
            for (int at = 0; at < 32; at++)
                bytes[at] = i;
            if (i % 5 == 3) {
                __u64 *gone = bpf_ringbuf_reserve(&events, 24, 0);
                if (gone)
                    bpf_ringbuf_discard(gone, 0);
                return 0;
            }
            bpf_ringbuf_output(&events, bytes, i & 31, 0);
            return 0;
        }
        SEC("raw_tp/sys_enter") int produce(struct bpf_raw_tracepoint_args *ctx)
        {
            return bpf_loop(ctx->args[0], one, 0, 0);
        }
        """
        with loaded(text) as programs:
            reader = closing(open_ring(programs))
            for _ in range(3):
                run(programs, 997)
                batches = reader.drain()
                first = min(batch.order for batch in batches)
                rows = {
                    p: row.tobytes() for b in batches for p, row in zip(b.positions(), b.data, strict=True)
                }
                assert [rows[first + at] for at in range(len(rows))] == [
                    bytes([i % 256]) * (i & 31) for i in range(997) if i % 5 != 3
                ]


@pytest.mark.needs("perfbuf")
class TestPerfBuffer:
    @pytest.mark.parametrize("count", [1, 23, 997])
    def test_every_event_arrives_once(self, count, closing):
        with loaded(perf_text()) as programs:
            (stream,) = programs.streams
            reader = closing(PerfBuffer(stream.map.fd, 64))
            run(programs, count, 0)
            (batch,) = reader.drain()
            assert (batch.record_size, batch.padded, batch.index) == (36, True, None)
            assert batch.fits(EVENT.itemsize)
            events = decoded([batch])
            assert events["n"].tolist() == list(range(count))
            assert (events["square"] == events["n"] ** 2).all()
            assert reader.drain() == []
            assert reader.lost == 0

    def test_cpus_are_merged_in_order_of_time(self, closing):
        cpus = online_cpus()
        with loaded(perf_text()) as programs:
            (stream,) = programs.streams
            reader = closing(PerfBuffer(stream.map.fd, 64))
            for n in range(499):
                run(programs, 1, n, cpu=cpus[n % len(cpus)])
            events = decoded(reader.drain())
            assert events["n"].tolist() == list(range(499))
            assert events["cpu"].tolist() == [cpus[n % len(cpus)] for n in range(499)]

    def test_order_holds_over_drains_cut_short(self, closing):
        cpus = online_cpus()
        with loaded(perf_text()) as programs:
            (stream,) = programs.streams
            reader = closing(PerfBuffer(stream.map.fd, 256))
            n = 0
            for turn in range(13 * len(cpus)):
                count = 701 if turn % len(cpus) else 17  # CPUs are unequally busy
                run(programs, count, n, cpu=cpus[turn % len(cpus)])
                n += count
            batches = []
            while more := reader.drain(limit=1):
                batches += more
            assert len(batches) > 1
            assert decoded(batches)["n"].tolist() == list(range(n))
            assert reader.lost == 0

    def test_goes_round_the_buffer_many_times(self, closing):
        with loaded(perf_text()) as programs:
            (stream,) = programs.streams
            reader = closing(PerfBuffer(stream.map.fd, 1))
            batches = []
            for first in range(0, 211 * 61, 61):
                run(programs, 61, first)
                batches += reader.drain()
            assert decoded(batches)["n"].tolist() == list(range(211 * 61))

    def test_what_does_not_fit_is_counted(self, closing):
        with loaded(perf_text()) as programs:
            (stream,) = programs.streams
            reader = closing(PerfBuffer(stream.map.fd, 1))
            run(programs, 10007, 0)
            delivered = len(decoded(reader.drain()))
            assert 0 < delivered < 100
            assert delivered + reader.lost == 10007
            run(programs, 7, 0)  # the loss announced by a record must not be counted again
            assert len(decoded(reader.drain())) == 7
            assert delivered + 7 + reader.lost == 10014

    def test_a_flood_from_another_thread_is_delivered_or_counted(self, closing):
        rounds, size = 59, 4999
        with loaded(perf_text()) as programs:
            (stream,) = programs.streams
            reader = closing(PerfBuffer(stream.map.fd, 64))

            def flood() -> None:
                for round_ in range(rounds):
                    run(programs, size, round_ * size)

            thread = threading.Thread(target=flood)
            thread.start()
            events = decoded(drain_while(thread.is_alive, reader))
            thread.join()
            assert len(events) + reader.lost == rounds * size
            assert (np.diff(events["n"].astype(np.int64)) > 0).all()
            assert (events["square"] == events["n"] ** 2).all()

    def test_wakes_a_poller_once_a_quarter_full(self, closing):
        with loaded(perf_text()) as programs, select.epoll() as epoll:
            (stream,) = programs.streams
            reader = closing(PerfBuffer(stream.map.fd, 8))
            for fd in reader.fds:
                epoll.register(fd, select.EPOLLIN)
            assert epoll.poll(0) == []
            run(programs, 8 * 4096 // 4 // 56 + 1, 0)
            assert epoll.poll(2)
            reader.drain()
            assert epoll.poll(0) == []

    def test_closing_takes_the_events_out_of_the_map(self):
        with loaded(perf_text()) as programs:
            (stream,) = programs.streams
            for _ in range(2):
                reader = PerfBuffer(stream.map.fd, 1)
                run(programs, 5, 0)
                assert len(decoded(reader.drain())) == 5
                reader.close()
            with pytest.raises(FileNotFoundError):
                delete(stream.map.fd, bytes(4))

    def test_a_map_too_small_for_the_machine_is_refused(self):
        with loaded(perf_text(entries=1)) as programs:
            (stream,) = programs.streams
            with pytest.raises(UsageProblem, match="no element for CPU 1"):
                PerfBuffer(stream.map.fd, 1)
