/* A program that makes system calls to count: `seek N` calls lseek(-1, i, MARK) for i from 0 to N - 1.
 *
 * Each call fails with EBADF.  MARK comes from the build, and no other program makes calls with it, so that
 * they are known from all others.  The calls go round all the CPUs that this process may use.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long calls = argc > 1 ? atol(argv[1]) : 1;
    cpu_set_t usable, one;
    sched_getaffinity(0, sizeof(usable), &usable);
    int cpu = -1;
    for (long i = 0; i < calls; i++) {
        do
            cpu = (cpu + 1) % CPU_SETSIZE;
        while (!CPU_ISSET(cpu, &usable));
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
        syscall(SYS_lseek, -1, i, MARK);
    }
    return 0;
}
