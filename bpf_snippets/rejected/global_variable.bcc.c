// SPDX-License-Identifier: GPL-2.0
// title:    A global variable
// teaches:  bcc has maps and no global variables: an array of one element does
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, bcc, headers
// expect-reject: invalid mem access 'scalar'
// limits:   libbpf has them: it puts them into an array of its own
BPF_ARRAY(counts, u64, 1);

u64 count;

TRACEPOINT_PROBE(sched, sched_process_exec)
{
#ifdef FIXED
    counts.increment(0);
#else
    count += 1;  // <- rejected here
#endif
    return 0;
}
