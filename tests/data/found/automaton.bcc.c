// SPDX-License-Identifier: GPL-2.0
// title:    A state machine's table on the stack
// teaches:  the mistake of parttimenerd/ebpf-verifier-errors issue 6
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, bcc, headers
// expect-reject: invalid mem access 'scalar'
// limits:   shortened to what the verifier stumbles over
BPF_HASH(states, u32, s32);

struct automaton {
    s32 next[4][4];
};

TRACEPOINT_PROBE(syscalls, sys_enter_write)
{
    u32 key = 0;
    s32 initial = 0;
    s32 *state = states.lookup_or_try_init(&key, &initial);
    if (!state)
        return 0;
    struct automaton machine = {.next = {{1, -1, -1, -1}, {-1, 2, -1, -1}, {-1, -1, 3, -1}, {-1, -1, -1, 3}}};
    s32 next = machine.next[*state][0];  // <- rejected here
    states.update(&key, &next);
    return 0;
}
