// SPDX-License-Identifier: GPL-2.0
/* Call getpgid(0) so many times, as fast as possible or RATE times a second.
 *
 *     calls NUMBER RATE CPU
 *
 * Prints the nanoseconds of processor time that one call took.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BURST 500

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	long number = atol(argv[1]);
	double rate = atof(argv[2]);
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[3]), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	double began = seconds_of(CLOCK_MONOTONIC), processor = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	for (long made = 0; made < number; made++) {
		getpgid(0);
		if (rate && made % BURST == 0) {
			double early = began + made / rate - seconds_of(CLOCK_MONOTONIC);
			if (early > 0)
				usleep(early * 1e6);
		}
	}
	printf("%f\n", (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - processor) / number * 1e9);
	return 0;
}
