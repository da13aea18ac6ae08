/* SPDX-License-Identifier: MIT */
/* walk-read.c - words read at random places, none waiting for another: walk-read BYTES [malloc|mmap|shm] */
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

enum { STEPS = 16 << 20 };

int main(int argc, char **argv)
{
	const size_t bytes = number(argc, argv, 1, GIB);
	const unsigned bits = bits_of(bytes / sizeof(uint64_t));
	uint64_t *at = (uint64_t *)walk_memory(argc, argv, bytes), sum = 0;
	double begin;

	for (size_t i = 0; i < bytes / sizeof(*at); i += 8)
		at[i] = i;
	begin = now_us();
	for (uint64_t i = 0; i < STEPS; i++)
		sum += at[place_of(i, bits) & ~(uint64_t)7];
	metric("step_ns", (now_us() - begin) * 1e3 / STEPS);
	result(sum);
	return 0;
}
