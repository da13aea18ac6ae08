/* SPDX-License-Identifier: MIT */
/*
 * scale-regions.c - calls on one huge page while a process has so many ranges of 2 MiB, each
 * known to us, every second one protected otherwise as long as the kernel's number of
 * mappings allows: scale-regions RANGES
 */
// section: scale
// cases: 10 100 1000 10000 100000
// contenders: kernel-small kernel-huge ours
// base: kernel-huge
// pool: 40
// memory: 300
// show: pair_us
// plot: pair_us ranges
#include "bench/workloads/work.h"

enum { ROUNDS = 15, MAPPINGS = 20000 };

static int flags = MAP_PRIVATE | MAP_ANONYMOUS;

static char *map(int more)
{
	return must(mmap(NULL, HUGE, PROT_READ | PROT_WRITE, flags | more, -1, 0));
}

static double pair_us(char *at)
{
	double from = now_us();

	(void)at;
	for (int i = 0; i < 40; i++) {
		char *page = map(0);

		page[0] = 1;
		munmap(page, HUGE);
	}
	return (now_us() - from) / 40;
}

static double protect_us(char *at)
{
	double from = now_us();

	for (int i = 0; i < 2000; i++)
		CHECK(mprotect(at, HUGE, PROT_READ | PROT_WRITE) == 0);
	return (now_us() - from) / 2000;
}

static double remap_us(char *at)
{
	double from = now_us();

	for (int i = 0; i < 2000; i++)
		CHECK(mremap(at, HUGE, HUGE, 0) == at);
	return (now_us() - from) / 2000;
}

static double least_of(double (*measure)(char *), char *at)
{
	double least = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double took = measure(at);

		least = took < least ? took : least;
	}
	return least;
}

int main(int argc, char **argv)
{
	const size_t ranges = number(argc, argv, 1, 1000);
	const char *kind = getenv("BENCH_MEMORY");
	char *page, *hold[64];
	int held = 0;

	if (kind && strcmp(kind, "huge") == 0)
		flags |= MAP_HUGETLB;
	page = map(0);
	page[0] = 1;
	/* Ours goes to small pages where the pool is empty; the kernel's are asked for as such. */
	while (!kind && held < 64)
		hold[held++] = map(0);
	for (size_t i = 0; i < ranges; i++) {
		char *at = must(mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

		if (i % 2 && i < MAPPINGS)
			mprotect(at, HUGE, PROT_NONE);
	}
	while (held > 0)
		munmap(hold[--held], HUGE);
	metric("pair_us", least_of(pair_us, page));
	metric("protect_us", least_of(protect_us, page));
	metric("remap_us", least_of(remap_us, page));
	result(ranges);
	return 0;
}
