/* SPDX-License-Identifier: MIT */
/*
 * scale-pool.c - what one huge page costs, and a block of all of the pool, as the pool grows:
 * scale-pool PAGES
 */
// section: scale
// cases: 10 100 1000 10000
// contenders: kernel-huge ours
// base: kernel-huge
// pool: 10:10 100:100 1000:1000 10000:10000
// memory: 100
// show: page_us
// plot: page_us pages
// timeout: 120
#include "bench/workloads/work.h"

int main(int argc, char **argv)
{
	const size_t pages = number(argc, argv, 1, 100), bytes = pages * HUGE;
	const char *kind = getenv("BENCH_MEMORY");
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (kind && strcmp(kind, "huge") == 0 ? MAP_HUGETLB : 0);
	uint64_t sum = 0;
	double begin;
	char *at;

	begin = now_us();
	for (int i = 0; i < 500; i++) {
		at = must(mmap(NULL, HUGE, PROT_READ | PROT_WRITE, flags, -1, 0));
		at[0] = 1;
		munmap(at, HUGE);
	}
	metric("page_us", (now_us() - begin) / 500);
	begin = now_us();
	at = must(mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0));
	for (size_t i = 0; i < bytes; i += HUGE)
		at[i] = 1;
	metric("all_us_a_page", (now_us() - begin) / (double)pages);
	for (size_t i = 0; i < bytes; i += HUGE)
		sum += (uint64_t)at[i];
	begin = now_us();
	munmap(at, bytes);
	metric("unmap_us_a_page", (now_us() - begin) / (double)pages);
	CHECK(sum == pages);
	result(pages);
	return 0;
}
