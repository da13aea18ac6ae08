/* SPDX-License-Identifier: MIT */
/* alloc-grow.c - a block grown by realloc from 64 KiB to 256 MiB, again and again */
// section: allocator
// goals: G1 G2 G14
// cases: 1
// quick: 1
// pool: 620
// memory: 1024
#include "bench/workloads/work.h"

enum { ROUNDS = 2 };

int main(void)
{
	uint64_t sum = 0;

	for (int round = 0; round < ROUNDS; round++) {
		char *at = NULL;
		size_t had = 0;

		for (size_t bytes = 64 * KIB; bytes <= 256 * MIB; bytes += bytes / 8) {
			at = must(realloc(at, bytes));
			for (size_t i = (had + SMALL - 1) / SMALL * SMALL; i < bytes; i += SMALL)
				at[i] = 1;
			had = bytes;
		}
		for (size_t i = 0; i < had; i += 64 * SMALL)
			sum += (uint64_t)at[i] == 1;
		free(at);
	}
	result(sum);
	return 0;
}
