// reject: only read is supported
// line:   7
SEC("tp_btf/sched_process_exec")
int rename(u64 *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx[0];
    task->comm[0] = 'x';
    return 0;
}
