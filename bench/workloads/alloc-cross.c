/* SPDX-License-Identifier: MIT */
/*
 * alloc-cross.c - batches of small blocks that a thread makes and whoever comes next frees:
 * alloc-cross THREADS
 */
// section: allocator
// goals: G1 G14
// cases: 2 8
// brief: 2
// pool: 620
// memory: 256
#include <stdatomic.h>

#include "bench/workloads/work.h"

enum { BATCH = 120, ROUNDS = 64000, RING = 64 };

static _Atomic(char **) ring[RING];
static size_t threads;

static void *cross(void *arg)
{
	uint64_t rng = seed_of((uintptr_t)arg);

	for (size_t round = 0; round < ROUNDS / threads; round++) {
		char **batch = must(malloc(BATCH * sizeof(*batch)));

		for (int i = 0; i < BATCH; i++) {
			batch[i] = must(malloc(64 + next_random(&rng) % 64));
			batch[i][0] = (char)i;
		}
		batch = atomic_exchange(&ring[next_random(&rng) % RING], batch);
		for (int i = 0; batch && i < BATCH; i++) {
			CHECK(batch[i][0] == (char)i);
			free(batch[i]);
		}
		free(batch);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	threads = number(argc, argv, 1, 2);
	run_threads(cross, threads);
	result(ROUNDS / threads);
	return 0;
}
