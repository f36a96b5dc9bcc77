/* A program that makes system calls evenly: `pace RATE MILLISECONDS` calls lseek(-1, i, MARK) RATE times a second.
 *
 * What it has made is printed at its end.  MARK is seek.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 2

int main(int argc, char **argv)
{
    long rate = argc > 1 ? atol(argv[1]) : 1000, milliseconds = argc > 2 ? atol(argv[2]) : 1000;
    long calls = 0;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long step = 0; step < milliseconds / STEP_MS; step++) {
        for (long i = 0; i < rate * STEP_MS / 1000; i++)
            syscall(SYS_lseek, -1, calls++, MARK);
        next.tv_nsec += STEP_MS * 1000000;
        if (next.tv_nsec >= 1000000000) {
            next.tv_sec++;
            next.tv_nsec -= 1000000000;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("%ld\n", calls);
    return 0;
}
