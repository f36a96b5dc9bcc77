/* SPDX-License-Identifier: MIT */
/* libbpf's bpf_helpers.h, with ring buffer calls that count what they could not deliver: the kernel keeps
 * no such count.  Each call place has a record of its own in section .data.lab_loss, which names the ring
 * buffer as the program wrote it; the count is touched on the failing path only. */
#ifndef LAB_BPF_HELPERS_H
#define LAB_BPF_HELPERS_H

#include_next <bpf/bpf_helpers.h>

struct lab_loss {
	unsigned long long lost;
	char ringbuf[56];
};

#define LAB_COUNT_LOSS(name)                                                                 \
	({                                                                                   \
		static struct lab_loss lab_loss SEC(".data.lab_loss") = {.ringbuf = name};   \
		__sync_fetch_and_add(&lab_loss.lost, 1);                                     \
	})

/* A macro's own name inside its expansion is not expanded again: these call the real helpers. */
#define bpf_ringbuf_reserve(ringbuf, size, flags)                                            \
	({                                                                                   \
		void *lab_record = bpf_ringbuf_reserve(ringbuf, size, flags);                \
		if (!lab_record)                                                             \
			LAB_COUNT_LOSS(#ringbuf);                                            \
		lab_record;                                                                  \
	})

#define bpf_ringbuf_output(ringbuf, data, size, flags)                                       \
	({                                                                                   \
		long lab_error = bpf_ringbuf_output(ringbuf, data, size, flags);             \
		if (lab_error)                                                               \
			LAB_COUNT_LOSS(#ringbuf);                                            \
		lab_error;                                                                   \
	})

#define bpf_ringbuf_reserve_dynptr(ringbuf, size, flags, ptr)                                \
	({                                                                                   \
		long lab_error = bpf_ringbuf_reserve_dynptr(ringbuf, size, flags, ptr);      \
		if (lab_error)                                                               \
			LAB_COUNT_LOSS(#ringbuf);                                            \
		lab_error;                                                                   \
	})

#endif
