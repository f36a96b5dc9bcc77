"""Which members are times, and what becomes of their values."""

import numpy as np
import pytest

from ebpf_lab.frame.clock import TimeRole, TraceClock, convert_time, time_role

HOUR = 3600 * 10**9
CLOCK = TraceClock(10 * HOUR, 15 * HOUR, 500_000 * HOUR, 499_999 * HOUR)


@pytest.mark.parametrize(
    ("name", "size", "role", "unit"),
    [
        ("ts", 8, TimeRole.POINT_IF_NEAR, 1),
        ("timestamp", 8, TimeRole.POINT_IF_NEAR, 1),
        ("timestamps", 8, TimeRole.POINT_IF_NEAR, 1),
        ("event.ts", 8, TimeRole.POINT_IF_NEAR, 1),
        ("enter_ts", 8, TimeRole.POINT_IF_NEAR, 1),
        ("start_time", 8, TimeRole.POINT_IF_NEAR, 1),
        ("ts", 4, TimeRole.NONE, 1),
        ("ts_ns", 8, TimeRole.POINT, 1),
        ("time_ns", 8, TimeRole.POINT, 1),
        ("timestamp_ns", 8, TimeRole.POINT, 1),
        ("start_ns", 8, TimeRole.POINT, 1),
        ("ts_us", 8, TimeRole.POINT, 1000),
        ("exit_ms", 8, TimeRole.POINT, 1_000_000),
        ("delta_ns", 8, TimeRole.DURATION, 1),
        ("duration_ns", 4, TimeRole.DURATION, 1),
        ("latency_ns", 8, TimeRole.DURATION, 1),
        ("lat_ns", 8, TimeRole.DURATION, 1),
        ("run_time_ns", 8, TimeRole.DURATION, 1),
        ("max_wait_ns", 8, TimeRole.DURATION, 1),
        ("queue_ns", 8, TimeRole.POINT_OR_DURATION, 1),
        ("queue_ns", 4, TimeRole.DURATION, 1),
        ("queue_ns", 2, TimeRole.NONE, 1),
        ("delta_us", 8, TimeRole.NONE, 1),
        ("delta", 8, TimeRole.NONE, 1),
        ("pid", 8, TimeRole.NONE, 1),
        ("columns", 8, TimeRole.NONE, 1),
        ("tsk", 8, TimeRole.NONE, 1),
        ("pid_ns", 4, TimeRole.NONE, 1),
        ("net_ns", 8, TimeRole.NONE, 1),
    ],
)
def test_roles(name, size, role, unit):
    assert time_role(name, size) == (role, unit)


def converted(values, role, unit=1, dtype=np.uint64):
    return convert_time(np.array(values, dtype), role, unit, CLOCK)


def nanoseconds(*values):
    return np.array(values, "m8[ns]")


@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
@pytest.mark.parametrize("start", CLOCK.starts)
@pytest.mark.parametrize("step", [1, 1000, 1_000_000])
def test_points_by_every_clock_and_unit(start, step, dtype):
    begin = start // step
    found = converted([begin + 5, begin + 7, 0], TimeRole.POINT_IF_NEAR, dtype=dtype)
    np.testing.assert_array_equal(found, nanoseconds(5 * step, 7 * step, "NaT"))


def test_points_shortly_before_the_trace_are_negative():
    found = converted([CLOCK.start_monotonic_ns - 1000], TimeRole.POINT_IF_NEAR)
    np.testing.assert_array_equal(found, nanoseconds(-1000))


@pytest.mark.parametrize("values", [[1, 2, 3], [HOUR], [2**63], [2**64 - 1], [CLOCK.start_monotonic_ns, 17]])
def test_a_ts_far_from_all_clocks_stays_an_integer(values):
    found = converted(values, TimeRole.POINT_IF_NEAR)
    assert found.dtype == np.uint64
    assert found.tolist() == values


def test_a_point_by_name_may_be_long_past():
    np.testing.assert_array_equal(converted([9 * HOUR], TimeRole.POINT), nanoseconds(-HOUR))
    np.testing.assert_array_equal(converted([9 * HOUR // 1000], TimeRole.POINT, 1000), nanoseconds(-HOUR))


def test_ns_near_a_clock_is_a_point_else_a_duration():
    near = [CLOCK.start_boottime_ns + 3, 0]
    np.testing.assert_array_equal(converted(near, TimeRole.POINT_OR_DURATION), nanoseconds(3, "NaT"))
    np.testing.assert_array_equal(converted([1500, 0], TimeRole.POINT_OR_DURATION), nanoseconds(1500, 0))
    np.testing.assert_array_equal(converted([0, 0], TimeRole.POINT_OR_DURATION), nanoseconds(0, 0))


def test_durations():
    np.testing.assert_array_equal(converted([7], TimeRole.DURATION, dtype=np.uint32), nanoseconds(7))
    # What went below zero in a u64.
    np.testing.assert_array_equal(converted([2**64 - 5], TimeRole.DURATION), nanoseconds(-5))


@pytest.mark.parametrize(
    "role", [TimeRole.POINT, TimeRole.POINT_IF_NEAR, TimeRole.POINT_OR_DURATION, TimeRole.DURATION]
)
def test_nothing_came(role):
    assert converted([], role).dtype == "m8[ns]"


def test_the_clocks_of_now():
    first, second = TraceClock.now(), TraceClock.now()
    assert first.start_monotonic_ns <= second.start_monotonic_ns
    assert abs(first.start_wall_ns - first.start_tai_ns) < 60 * 10**9
