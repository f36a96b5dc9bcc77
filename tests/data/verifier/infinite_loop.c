// reject: infinite loop detected at insn \d+|back-edge
// line:   7
SEC("raw_tracepoint/sys_enter")
int forever(void *ctx)
{
    volatile int turns = 0;
    while (1)
        turns = 1;
    return 0;
}
