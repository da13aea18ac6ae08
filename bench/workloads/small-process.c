/* SPDX-License-Identifier: MIT */
/*
 * small-process.c - a process with a heap of 2 MiB: the pool's pages it keeps from others,
 * whether used or only reserved
 */
// section: programs
// goals: G14
// cases: 2m
// pool: 600
// contenders: malloc
// show: pool_pages
#include "bench/workloads/work.h"

static long field(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[256];
	long value = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			value = atol(line + strlen(name) + 1);
	if (f)
		fclose(f);
	return value;
}

int main(int argc, char **argv)
{
	size_t left = number(argc, argv, 1, 2 * MIB), n = 0;
	uint64_t rng = seed_of(0);

	while (left > 512) {
		size_t bytes = 16 + next_random(&rng) % 496;

		memset(must(malloc(bytes)), 1, bytes);
		left -= bytes;
		n++;
	}
	/* The pool is ours alone for this run. */
	metric("pool_pages", (double)(field("HugePages_Total") - field("HugePages_Free") +
				      field("HugePages_Rsvd")));
	result(n);
	return 0;
}
