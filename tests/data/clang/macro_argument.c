SEC("uprobe/libc:printf")
int f(void *ctx)
{
    u32 number = 5;
    return PT_REGS_PARM1(number);
}
