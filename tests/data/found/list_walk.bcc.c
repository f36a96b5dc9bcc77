// SPDX-License-Identifier: GPL-2.0
// title:    A walk along a linked list, to its end
// teaches:  the mistake of iovisor/bcc issue 2033
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, bcc, headers
// expect-reject: infinite loop detected
//           back-edge
//           program is too large
// limits:   shortened to what the verifier stumbles over
struct node {
    struct node *next;
    u64 value;
};

BPF_ARRAY(sums, u64, 1);

TRACEPOINT_PROBE(sched, sched_process_exec)
{
    struct node *node = (struct node *)bpf_get_current_task();
    while (node) {  // <- rejected here
        bpf_probe_read_kernel(&node, sizeof(node), &node->next);
        sums.increment(0);
    }
    return 0;
}
