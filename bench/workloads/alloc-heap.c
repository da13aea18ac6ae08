/* SPDX-License-Identifier: MIT */
/*
 * alloc-heap.c - a heap of blocks of 16 to 512 bytes, made, then all freed; the last case
 * leaves it idle for 3 s first: alloc-heap BYTES [SECONDS]
 */
// section: allocator
// goals: G1 G14
// cases: 1g 4g 1g,3
// brief: 1g
// pool: 1g:620 4g:2400 1g,3:620
// memory: 1g:1400 4g:5400 1g,3:1400
// timeout: 120
#include "bench/workloads/work.h"

int main(int argc, char **argv)
{
	size_t left = number(argc, argv, 1, GIB), idle = number(argc, argv, 2, 0), n = 0;
	uint64_t rng = seed_of(0), sum = 0;
	double begin = now_us(), full;
	void **chain = NULL;

	while (left > 512) {
		size_t bytes = 16 + next_random(&rng) % 496;
		void **at = must(malloc(bytes));

		at[0] = chain;
		at[1] = (void *)bytes;
		chain = at;
		left -= bytes;
		n++;
	}
	full = now_us();
	nanosleep(&(struct timespec){ .tv_sec = (time_t)idle }, NULL);
	metric("make_ns", (full - begin) * 1e3 / (double)n);
	begin = now_us();
	while (chain) {
		void **at = *chain;

		sum += (size_t)chain[1];
		free(chain);
		chain = at;
	}
	metric("free_ns", (now_us() - begin) * 1e3 / (double)n);
	result(sum);
	return 0;
}
