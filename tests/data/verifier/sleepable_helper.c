// reject: (sleepable helper bpf_copy_from_user#148 in non-sleepable prog|helper call might sleep in a non-sleepable prog|(program of this type cannot use helper|unknown func) bpf_copy_from_user#148)
// line:   8
// fix:    a sleepable section, such as SEC("uprobe.s")
SEC("uprobe/libc:printf")
int read_text(struct pt_regs *ctx)
{
    char text[16] = {};
    bpf_copy_from_user(text, sizeof(text), (void *)PT_REGS_PARM1(ctx));
    return 0;
}
