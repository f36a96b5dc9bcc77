// SPDX-License-Identifier: GPL-2.0
// title:    A pointer of the traced process
// teaches:  what bcc does not copy by itself must be copied by bpf_probe_read_user()
// attach:   tracepoint:syscalls:sys_enter_openat
// needs:    tracepoint, bcc, headers
// expect-reject: invalid mem access 'scalar'
// limits:   bcc makes a copy of each access that it knows for one; a number's cast hides it
BPF_ARRAY(absolute, u64, 1);

TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    u64 name = (u64)args->filename;
    char first = 0;
#ifdef FIXED
    bpf_probe_read_user(&first, sizeof(first), (void *)name);
#else
    first = *(const char *)name;  // <- rejected here
#endif
    if (first == '/')
        absolute.increment(0);
    return 0;
}
