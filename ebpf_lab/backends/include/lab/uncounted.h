/* SPDX-License-Identifier: MIT */
/* Takes the counting off the ring buffer calls again: what the verifier says of a rejected program must be
 * about the program as it was written. */
#undef bpf_ringbuf_reserve
#undef bpf_ringbuf_output
#undef bpf_ringbuf_reserve_dynptr
