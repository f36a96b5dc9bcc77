"""Times in events: from the kernel's clocks to time since the trace began.

A 64-bit integer member is a *point in time* when its name says so:

====================================  =============================================================
last part of the name                 taken as
====================================  =============================================================
``ts``, ``time``, ``timestamp``,      a point, in the unit (ns, µs or ms) in which its values lie near
``when``; ``…_ts``, ``ts_…``,         one of the kernel's clocks; other values stay integers
``timestamp…``
the same and ``start``, ``end``,      a point in that unit, however long before the trace
``begin``, ``enter``, ``exit``… with
``_ns``, ``_us`` or ``_ms``
``delta``, ``duration``, ``lat``,     a duration, whatever its values (``total_ns``, ``latency_ns``)
``total``, ``wait``… with ``_ns``
any other ``…_ns``, but for           a point when every value lies near a clock, else a duration
namespaces (``pid_ns``, ``net_ns`` …)
====================================  =============================================================

Points become the time since the trace began, by the clock that they lie nearest to: ``CLOCK_MONOTONIC``
(``bpf_ktime_get_ns``), ``CLOCK_BOOTTIME`` (``bpf_ktime_get_boot_ns``) or ``CLOCK_TAI``
(``bpf_ktime_get_tai_ns``).  A point of 0 was never set: ``NaT``.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SECOND = 1_000_000_000
_EARLY = 1 * _SECOND
"""Times from shortly before the trace's clock was read are in events whose probe was attached by then."""
_LATE = 30 * 86400 * _SECOND
"""No trace is longer than this: larger values are not times by that clock."""
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000}

_POINT = re.compile(r"(?:.*_)?(?:ts|time|timestamp|when)(?:_.*)?|(?:ts|timestamp)[0-9]*|timestamp.*")
_EVENT = re.compile(r"(?:.*_)?(?:start|started|begin|began|end|ended|enter|entry|exit|seen|now|ktime)")
_LENGTH = re.compile(
    r"(?:.*_)?(?:delta|diff|dur|duration|elapsed|lat|latency|took|wait|waited|delay|total|sum|avg|mean|min|max"
    r"|offcpu|oncpu|runtime|run_time|cpu_time|cputime|timeout|sleep|slept|interval|period|offset|cost|per)(?:_.*)?"
)
_NAMESPACE = re.compile(r"(?:.*_)?(?:pid|net|mnt|mount|user|uts|ipc|cgroup)_ns")
_SUFFIX = re.compile(r"(.+)_(ns|nsec|nsecs|us|usec|usecs|ms|msec|msecs)")


class TimeRole(Enum):
    """What a member's name says about time."""

    NONE = "none"
    POINT = "point"
    POINT_IF_NEAR = "point if near a clock, else integer"
    POINT_OR_DURATION = "point if near a clock, else duration"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class TraceClock:
    """When a trace began, by four clocks, in nanoseconds.

    Attributes
    ----------
    start_monotonic_ns, start_boottime_ns : int
        Since boot; the second counts time asleep, too.
    start_tai_ns, start_wall_ns : int
        Since 1970; the second is UTC.
    """

    start_monotonic_ns: int
    start_boottime_ns: int
    start_tai_ns: int
    start_wall_ns: int

    @classmethod
    def now(cls) -> TraceClock:
        """Read the clocks; where there is no Linux, the nearest that there is."""
        monotonic, wall = time.monotonic_ns(), time.time_ns()
        boottime, tai = getattr(time, "CLOCK_BOOTTIME", None), getattr(time, "CLOCK_TAI", None)
        return cls(
            monotonic,
            monotonic if boottime is None else time.clock_gettime_ns(boottime),
            wall if tai is None else time.clock_gettime_ns(tai),
            wall,
        )

    @property
    def starts(self) -> tuple[int, int, int]:
        """The start by each clock that a BPF program can read, the likeliest first."""
        return self.start_monotonic_ns, self.start_boottime_ns, self.start_tai_ns


def time_role(name: str, size: int) -> tuple[TimeRole, int]:
    """Say what a member's name tells about time.

    Parameters
    ----------
    name : str
        Column name; only what follows the last dot counts.
    size : int
        Bytes of the integer.

    Returns
    -------
    role : TimeRole
    unit : int
        Nanoseconds per step, where the name says; else 1.
    """
    last = name.rpartition(".")[2].lower()
    suffix = None if _NAMESPACE.fullmatch(last) else _SUFFIX.fullmatch(last)
    base = suffix[1] if suffix else last
    unit = _UNITS[suffix[2][:2]] if suffix else 1
    nanoseconds = suffix is not None and unit == 1
    if _LENGTH.fullmatch(base):
        return (TimeRole.DURATION if nanoseconds and size >= 4 else TimeRole.NONE), 1
    if size == 8 and suffix and (_POINT.fullmatch(base) or _EVENT.fullmatch(base)):
        return TimeRole.POINT, unit
    if size == 8 and suffix is None and _POINT.fullmatch(base):
        return TimeRole.POINT_IF_NEAR, 1
    if nanoseconds and size >= 4:
        return (TimeRole.POINT_OR_DURATION if size == 8 else TimeRole.DURATION), 1
    return TimeRole.NONE, 1


def convert_time(values: NDArray[Any], role: TimeRole, unit: int, clock: TraceClock) -> NDArray[Any]:
    """Turn integers into ``timedelta64[ns]`` as their role and size say, in place where they have 64 bits.

    Parameters
    ----------
    values : (n,) integer
    role, unit
        From :func:`time_role`.
    clock : TraceClock

    Returns
    -------
    (n,) timedelta64[ns]
        Or ``values`` unchanged when they are no times after all.
    """
    if role is TimeRole.NONE:
        return values
    if role is TimeRole.DURATION:
        return _timedelta(values)
    # The bits of 64-bit integers, whatever their sign in C: no clock passes 2**63 before the year 2262.
    points = values.view(np.uint64)
    unset = points == 0
    low = int(points.min(where=~unset, initial=np.uint64(2**64 - 1)))
    high = int(points.max(initial=np.uint64(0)))
    if high == 0:
        start = 0
    elif role is TimeRole.POINT:
        start = min(clock.starts, key=lambda at: abs(high * unit - at))
    else:
        near = [
            (at, step)
            for step in (_UNITS.values() if role is TimeRole.POINT_IF_NEAR else (1,))
            for at in clock.starts
            if at - _EARLY <= low * step and high * step <= at + _LATE
        ]
        if not near:
            return values if role is TimeRole.POINT_IF_NEAR else _timedelta(values)
        start, unit = min(near, key=lambda choice: abs(low * choice[1] - choice[0]))
    if role is TimeRole.POINT_OR_DURATION and high == 0:
        return _timedelta(values)
    if unit != 1:
        points *= np.uint64(unit)
    points -= np.uint64(start)
    result = points.view("m8[ns]")
    result[unset] = np.timedelta64("NaT", "ns")
    return result


def _timedelta(values: NDArray[Any]) -> NDArray[Any]:
    """Durations; a u64 that went below zero shows as negative."""
    return (values if values.dtype.itemsize == 8 else values.astype(np.int64)).view("m8[ns]")
