/* SPDX-License-Identifier: MIT */
/*
 * alloc-larson.c - a server: threads that replace random blocks, and leave all of them to
 * the threads after them: alloc-larson THREADS
 */
// section: allocator
// goals: G1 G14
// cases: 2 8
// brief: 2
// quick: 2
// pool: 620
// memory: 256
#include <stdatomic.h>

#include "bench/workloads/work.h"

enum { BLOCKS = 1000, STEPS = 8000000, GENERATIONS = 20 };

static char *(*blocks)[BLOCKS];
static size_t threads;

static void *serve(void *arg)
{
	static _Atomic unsigned born;
	char **block = blocks[(uintptr_t)arg];
	uint64_t rng = seed_of(atomic_fetch_add(&born, 1));

	for (size_t step = 0; step < STEPS / GENERATIONS / threads; step++) {
		size_t i = next_random(&rng) % BLOCKS;
		size_t bytes = 8 + next_random(&rng) % 993;

		CHECK(!block[i] || block[i][0] == (char)i);
		free(block[i]);
		block[i] = must(malloc(bytes));
		block[i][bytes - 1] = (char)step;
		block[i][0] = (char)i;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	threads = number(argc, argv, 1, 1);
	blocks = must(calloc(threads, sizeof(*blocks)));
	for (int generation = 0; generation < GENERATIONS; generation++)
		run_threads(serve, threads);
	result(STEPS / threads);
	return 0;
}
