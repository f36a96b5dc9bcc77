struct key {
    u32 pid;
};

SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    return sizeof(struct key);
}
