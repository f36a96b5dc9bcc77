#include <nothing/here.h>

SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    return 0;
}
