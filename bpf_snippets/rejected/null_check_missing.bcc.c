// SPDX-License-Identifier: GPL-2.0
// title:    A map element that may not be there
// teaches:  lookup() returns NULL for a key that the map has not; lookup_or_try_init() puts one there
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, bcc, headers
// expect-reject: invalid mem access 'map_value_or_null'
// limits:   increment() has the check built in
BPF_HASH(counts, u32, u64);

TRACEPOINT_PROBE(sched, sched_process_exec)
{
    u32 uid = bpf_get_current_uid_gid();
    u64 *count = counts.lookup(&uid);
#ifdef FIXED
    if (!count)
        return 0;
#endif
    *count += 1;  // <- rejected here
    return 0;
}
