// SPDX-License-Identifier: GPL-2.0
/* Read a ring buffer with libbpf and store each record: what a consumer in C can do.
 *
 *     consumer MAP_FD
 *
 * Ends when standard input has ended and nothing is left.  Prints how many, the bytes stored, and the processor time in seconds.
 */
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CHUNK (32UL << 20)

static long long records, bytes;
static char *chunk;
static size_t used = CHUNK;

static int store(void *context, void *data, size_t size)
{
	if (used + size > CHUNK) {
		chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (chunk == MAP_FAILED)
			return -1;
		used = 0;
	}
	memcpy(chunk + used, data, size);
	used += (size + 7) & ~7UL;
	bytes += size;
	records++;
	return 0;
}

static double processor_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	struct ring_buffer *ring = ring_buffer__new(atoi(argv[1]), store, NULL, NULL);
	struct pollfd input = { .fd = 0 };

	if (!ring) {
		perror("ring_buffer__new");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	double began = processor_seconds();
	for (bool ended = false;;) {
		int found = ring_buffer__consume(ring);
		if (found < 0) {
			fprintf(stderr, "ring_buffer__consume: %d\n", found);
			return 1;
		}
		if (found)
			continue;
		if (ended)
			break;
		ended = poll(&input, 1, 1) > 0;
	}
	printf("%lld %lld %f\n", records, bytes, processor_seconds() - began);
	return 0;
}
