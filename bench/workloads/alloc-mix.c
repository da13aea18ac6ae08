/* SPDX-License-Identifier: MIT */
/*
 * alloc-mix.c - batches of blocks of 1 to 1000 bytes, freed forwards, backwards and in
 * random order; every fourth batch is freed by another thread. The work is the same
 * however many threads share it: alloc-mix THREADS
 */
// section: allocator
// goals: G1 G14
// cases: 1 2 4 8 16
// brief: 1 2
// quick: 2
// pool: 620
// memory: 512
#include <stdatomic.h>

#include "bench/workloads/work.h"

enum { BATCH = 2000, ROUNDS = 3200 };

static _Atomic(char **) left_for_others;
static atomic_ulong freed;
static size_t threads;

static void free_batch(char **block, int order, uint64_t *rng)
{
	for (int i = BATCH - 1; order == 2 && i > 0; i--) {
		int j = (int)(next_random(rng) % (unsigned)(i + 1));
		char *at = block[i];

		block[i] = block[j];
		block[j] = at;
	}
	for (int i = 0; i < BATCH; i++) {
		char *at = block[order == 1 ? BATCH - 1 - i : i];

		CHECK(at[0] == (char)0x5a);
		free(at);
	}
	free(block);
	freed += BATCH;
}

static void *mix(void *arg)
{
	uint64_t rng = seed_of((uintptr_t)arg);

	for (int round = 0; round < ROUNDS / (int)threads; round++) {
		char **block = must(malloc(BATCH * sizeof(*block)));

		for (int i = 0; i < BATCH; i++) {
			size_t bytes = 1 + next_random(&rng) % 1000;

			block[i] = must(malloc(bytes));
			block[i][bytes - 1] = (char)i;
			block[i][0] = (char)0x5a;
		}
		if (round % 4 == 3)
			block = atomic_exchange(&left_for_others, block);
		if (block)
			free_batch(block, round % 3, &rng);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t rng = seed_of(0);

	threads = number(argc, argv, 1, 1);
	run_threads(mix, threads);
	if (left_for_others)
		free_batch(left_for_others, 0, &rng);
	result(freed);
	return 0;
}
