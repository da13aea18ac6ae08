/* SPDX-License-Identifier: MIT */
/*
 * huge-pair.c - a huge page mapped, written and unmapped: plain mmap() where we make it huge,
 * MAP_HUGETLB where the kernel is asked
 */
// section: calls
// goals: G13
// cases: -
// quick: -
// contenders: kernel-huge kernel-thp ours
// base: kernel-huge
// pool: 16
// show: pair_us
#include "bench/workloads/work.h"

enum { TURNS = 301, EACH = 10 };

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	const char *kind = getenv("BENCH_MEMORY");
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	double took[TURNS];

	if (kind && strcmp(kind, "huge") == 0)
		flags |= MAP_HUGETLB;
	for (int turn = 0; turn < TURNS; turn++) {
		double from = now_us();

		for (int i = 0; i < EACH; i++) {
			char *at = must(mmap(NULL, HUGE, PROT_READ | PROT_WRITE, flags, -1, 0));

			if (kind && strcmp(kind, "thp") == 0)
				madvise(at, HUGE, MADV_HUGEPAGE);
			at[0] = 1;
			munmap(at, HUGE);
		}
		took[turn] = (now_us() - from) / EACH;
	}
	qsort(took, TURNS, sizeof(double), by_value);
	metric("pair_us", took[TURNS / 2]);
	result(TURNS);
	return 0;
}
