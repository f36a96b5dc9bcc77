SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    one = 1;
    two = 2;
    three = 3;
    return task->pidd;
}
int g(struct nothing it) { return 0; }
