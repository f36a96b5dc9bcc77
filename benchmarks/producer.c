// SPDX-License-Identifier: GPL-2.0
/* Run a BPF program by hand until it has produced so many events.
 *
 *     producer PROGRAM_FD EVENTS RATE CPU
 *
 * The program is a raw tracepoint's.  Its arguments are the number of its first event, and whether it shall
 * be patient, which is to stop at the first event that finds no room; it returns how many it tried (<< 16) and how many found
 * room.  With RATE 0 that many events are delivered, as fast as the consumer lets; with another RATE, that
 * many are tried, so many a second.  Prints how many were tried and how many found room.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void pause_for(double seconds)
{
	struct timespec t = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };

	nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	int program = atoi(argv[1]);
	long long wanted = atoll(argv[2]), tried = 0, made = 0;
	double rate = atof(argv[3]);
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[4]), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	double began = now();
	while ((rate ? tried : made) < wanted) {
		unsigned long long context[2] = { tried, rate == 0 };
		union bpf_attr attr;

		memset(&attr, 0, sizeof(attr));
		attr.test.prog_fd = program;
		attr.test.ctx_in = (unsigned long)context;
		attr.test.ctx_size_in = sizeof(context);
		if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr))) {
			perror("BPF_PROG_TEST_RUN");
			return 1;
		}
		unsigned int now_tried = attr.test.retval >> 16, now_made = attr.test.retval & 0xffff;
		tried += now_tried;
		made += now_made;
		if (rate) {
			double early = began + tried / rate - now();
			if (early > 0)
				pause_for(early);
		} else if (now_made < now_tried) {
			pause_for(200e-6);
		}
	}
	printf("%lld %lld %f\n", tried, made, now() - began);
	return 0;
}
