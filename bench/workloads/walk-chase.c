/* SPDX-License-Identifier: MIT */
/* walk-chase.c - pointers followed from line to line in random order: walk-chase BYTES [malloc|mmap|shm] */
// section: walks
// goals: G10
// cases: 256m 1g 4g 8g 1g,mmap 1g,shm
// brief: 256m 8g
// quick: 256m
// contenders: malloc kernel 1g,mmap:glibc,ours 1g,shm:glibc,libhugetlbfs,ours
// few: glibc glibc-thp mimalloc-huge kernel-huge ours
// pool: 256m:140 1g:540 4g:2100 8g:4200 1g,mmap:540 1g,shm:540
// memory: 256m:300 1g:1100 4g:4300 8g:8400 1g,mmap:1100 1g,shm:1100
// pooled: kernel-huge kernel-populate ours
// show: step_ns
// plot: step_ns bytes
// timeout: 120
#include "bench/workloads/walk.h"

enum { STEPS = 4 << 20, LINE = 64 };

int main(int argc, char **argv)
{
	const size_t bytes = number(argc, argv, 1, GIB);
	const unsigned bits = bits_of(bytes / LINE);
	const uint64_t n = STEPS < bytes / LINE ? STEPS : bytes / LINE;
	char *at = walk_memory(argc, argv, bytes), **next;
	double begin;

	for (uint64_t i = 0; i < n; i++)
		*(char **)(at + place_of(i, bits) * LINE) = at + place_of((i + 1) % n, bits) * LINE;
	begin = now_us();
	next = (char **)(at + place_of(0, bits) * LINE);
	for (uint64_t i = 0; i < n; i++)
		next = (char **)*next;
	metric("step_ns", (now_us() - begin) * 1e3 / (double)n);
	CHECK((char *)next == at + place_of(0, bits) * LINE);
	result(n);
	return 0;
}
