/* SPDX-License-Identifier: MIT */
/* walk-update.c - words changed at random places, none waiting for another: walk-update BYTES [malloc|mmap|shm] */
// section: walks
// cases: 256m 1g 4g 8g 1g,mmap 1g,shm
// brief: 1g
// contenders: malloc kernel 1g,mmap:glibc,ours 1g,shm:glibc,libhugetlbfs,ours
// few: glibc glibc-thp mimalloc-huge kernel-huge ours
// pool: 256m:140 1g:540 4g:2100 8g:4200 1g,mmap:540 1g,shm:540
// memory: 256m:300 1g:1100 4g:4300 8g:8400 1g,mmap:1100 1g,shm:1100
// pooled: kernel-huge kernel-populate ours
// show: step_ns
// plot: step_ns bytes
// timeout: 120
#include "bench/workloads/walk.h"

enum { STEPS = 8 << 20 };

static void change(uint64_t *at, unsigned bits)
{
	for (uint64_t i = 0; i < STEPS; i++)
		at[place_of(i, bits)] ^= i + 1;
}

int main(int argc, char **argv)
{
	const size_t bytes = number(argc, argv, 1, GIB);
	const unsigned bits = bits_of(bytes / sizeof(uint64_t));
	uint64_t *at = (uint64_t *)walk_memory(argc, argv, bytes), left = 0;
	double begin;

	memset(at, 0, bytes);
	change(at, bits);
	begin = now_us();
	change(at, bits);
	metric("step_ns", (now_us() - begin) * 1e3 / STEPS);
	/* Changed twice, nothing is. */
	for (size_t i = 0; i < bytes / sizeof(*at); i += 64)
		left += at[i] != 0;
	CHECK(left == 0);
	result(left);
	return 0;
}
