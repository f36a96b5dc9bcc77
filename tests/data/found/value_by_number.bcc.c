// SPDX-License-Identifier: GPL-2.0
// title:    A value for a map, taken for its own address
// teaches:  the mistake of iovisor/bcc issue 209
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, bcc, headers
// expect-reject: R3 type=scalar expected=fp
//           R3 type=inv expected=fp
// limits:   shortened to what the verifier stumbles over
BPF_HASH(buffers, u32, u64);

TRACEPOINT_PROBE(syscalls, sys_enter_write)
{
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    u64 *buffer = (u64 *)args->buf;
    buffers.update(&pid, buffer);  // <- rejected here
    return 0;
}
