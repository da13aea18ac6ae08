/* SPDX-License-Identifier: MIT */
/*
 * alloc-threads.c - many threads that live for a few thousand blocks each; one block in
 * eight is swapped for one of another thread's: alloc-threads AT_A_TIME
 */
// section: allocator
// goals: G1 G14
// cases: 2 8 16
// brief: 2 8
// quick: 2
// pool: 620
// memory: 512
#include <stdatomic.h>

#include "bench/workloads/work.h"

enum { BORN = 1200, STEPS = 3000, BLOCKS = STEPS / 4, SHARED = 1000 };

static _Atomic(char *) shared[SHARED];

static void *live(void *arg)
{
	static _Atomic unsigned born;
	uint64_t rng = seed_of(atomic_fetch_add(&born, 1));
	char *block[BLOCKS] = { NULL };

	for (int step = 0; step < STEPS; step++) {
		size_t i = next_random(&rng) % BLOCKS;
		uint64_t dice = next_random(&rng) % 256;
		size_t bytes = dice == 0 ? 64 * KIB : dice < 4 ? 8 * KIB : 16 + dice * 4;

		CHECK(!block[i] || block[i][0] == 0x5a);
		free(block[i]);
		block[i] = must(malloc(bytes));
		block[i][bytes - 1] = (char)step;
		block[i][0] = 0x5a;
		if (dice % 8 == 0)
			block[i] = atomic_exchange(&shared[next_random(&rng) % SHARED], block[i]);
	}
	for (int i = 0; i < BLOCKS; i++)
		free(block[i]);
	return arg;
}

int main(int argc, char **argv)
{
	size_t at_a_time = number(argc, argv, 1, 2);

	for (size_t born = 0; born < BORN; born += at_a_time)
		run_threads(live, at_a_time);
	result(BORN / at_a_time);
	return 0;
}
