/* SPDX-License-Identifier: MIT */
/*
 * scale-threads.c - threads that each map, write and unmap 2 MiB, the same work in all however
 * many share it; processor time a pair, which lines of threads waiting for a lock don't
 * hide: scale-threads THREADS
 */
// section: scale
// cases: 1 2 4 8 16 32 64
// brief: 1 4 16 64
// contenders: kernel-small kernel-thp kernel-huge ours
// base: kernel-huge
// pool: 80
// memory: 300
// show: pair_us
// plot: pair_us threads
#include "bench/workloads/work.h"

enum { PAIRS = 12800 };

static size_t threads;
static const char *kind;

static void *map(void *arg)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	(void)arg;
	if (kind && strcmp(kind, "huge") == 0)
		flags |= MAP_HUGETLB | MAP_NORESERVE;
	for (size_t i = 0; i < PAIRS / threads; i++) {
		char *at = must(mmap(NULL, HUGE, PROT_READ | PROT_WRITE, flags, -1, 0));

		if (kind && strcmp(kind, "thp") == 0)
			madvise(at, HUGE, MADV_HUGEPAGE);
		at[0] = 1;
		CHECK(munmap(at, HUGE) == 0);
	}
	return NULL;
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	double begin = now_us(), cpu = cpu_us();

	threads = number(argc, argv, 1, 1);
	kind = getenv("BENCH_MEMORY");
	run_threads(map, threads);
	metric("pair_us", (cpu_us() - cpu) / PAIRS);
	metric("wall_pair_us", (now_us() - begin) / PAIRS);
	result(PAIRS / threads * threads);
	return 0;
}
