/* SPDX-License-Identifier: MIT */
/*
 * alloc-big.c - blocks of 64 KiB to 16 MiB of random lifetime, each page touched:
 * alloc-big THREADS
 */
// section: allocator
// goals: G1 G14
// cases: 1 2 8
// brief: 1 2
// quick: 1
// pool: 620
// memory: 1024
#include "bench/workloads/work.h"

enum { SLOTS = 16, ROUNDS = 1200 };

static size_t threads;

static void *big(void *arg)
{
	uint64_t rng = seed_of((uintptr_t)arg);
	char *slot[SLOTS] = { NULL };
	size_t had[SLOTS] = { 0 };

	for (int round = 0; round < ROUNDS / (int)threads; round++) {
		size_t i = next_random(&rng) % SLOTS;
		size_t bytes = (size_t)1 << (16 + next_random(&rng) % 8);

		bytes += next_random(&rng) % bytes;
		CHECK(!slot[i] || slot[i][(had[i] - 1) / SMALL * SMALL] == (char)had[i]);
		free(slot[i]);
		slot[i] = must(malloc(bytes));
		for (size_t at = 0; at < bytes; at += SMALL)
			slot[i][at] = (char)bytes;
		had[i] = bytes;
	}
	for (int i = 0; i < SLOTS; i++)
		free(slot[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	threads = number(argc, argv, 1, 1);
	run_threads(big, threads);
	result(ROUNDS / threads * threads);
	return 0;
}
