// reject: failed to resolve CO-RE relocation <byte_off> \[\d+\] struct task_struct___old.not_there_any_more.*
// line:   11
struct task_struct___old {
    int not_there_any_more;
} __attribute__((preserve_access_index));

SEC("raw_tracepoint/sys_enter")
int old_field(void *ctx)
{
    struct task_struct___old *task = (void *)bpf_get_current_task();
    return BPF_CORE_READ(task, not_there_any_more);
}
// fix:    read it behind if (bpf_core_field_exists(…)): other kernels may have it
