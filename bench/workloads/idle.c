/* SPDX-License-Identifier: MIT */
/*
 * idle.c - a block touched after three seconds in which nothing happened: one that was freed
 * before them (kept), or the first of a process (new): idle kept|new
 */
// section: memory
// goals: G4
// cases: kept new
// pool: 320
// memory: 600
// contenders: malloc kernel
// few: kept:glibc,glibc-thp,mimalloc-huge,ours new:glibc,glibc-thp,jemalloc-thp,kernel-thp,ours
// show: again_ms
#include "bench/workloads/work.h"

static const size_t bytes = 512 * MIB;

static double touched_ms(void)
{
	double begin = now_us();
	char *at = obtain(bytes);

	for (size_t i = 0; i < bytes; i += SMALL)
		at[i] = 1;
	begin = now_us() - begin;
	give_back(at, bytes);
	return begin / 1e3;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "kept") == 0)
		metric("first_ms", touched_ms());
	nanosleep(&(struct timespec){ .tv_sec = 3 }, NULL);
	metric("again_ms", touched_ms());
	result(bytes);
	return 0;
}
