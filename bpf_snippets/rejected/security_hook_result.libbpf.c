// SPDX-License-Identifier: GPL-2.0
// title:    A refusal that is no error
// teaches:  a security hook returns 0 to allow, and minus an error number to refuse
// attach:   lsm:file_open
// needs:    lsm, btf, clang, libbpf
// expect-reject: At program exit the register R0 has
//           6.1: accepted
// limits:   older kernels take any number, and do what they like with one above zero
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

SEC("lsm/file_open")
int BPF_PROG(open_asked, struct file *file)
{
    // Nobody has this uid: nothing is refused in earnest.
    if ((u32)bpf_get_current_uid_gid() == 4294967294)  // <- rejected here
#ifdef FIXED
        return -1;  // EPERM
#else
        return 1;
#endif
    return 0;
}
