/* SPDX-License-Identifier: MIT */
/*
 * alloc-producer.c - pairs of threads: one makes blocks of 16 to 1039 bytes and hands them
 * over through a ring, the other frees them: alloc-producer PAIRS
 */
// section: allocator
// goals: G1 G14
// cases: 1 4
// brief: 1
// pool: 620
// memory: 256
#include <sched.h>
#include <stdatomic.h>

#include "bench/workloads/work.h"

enum { BLOCKS = 3200000, RING = 4096 };

struct pair {
	_Atomic(unsigned char *) ring[RING];
	uint64_t sum;
};

static struct pair *pairs;
static size_t n_pairs;

static void produce(struct pair *pair, uint64_t rng)
{
	for (size_t i = 0; i < BLOCKS / n_pairs; i++) {
		size_t bytes = 16 + next_random(&rng) % 1024;
		unsigned char *at = must(malloc(bytes));

		at[bytes - 1] = (unsigned char)bytes;
		at[0] = (unsigned char)i;
		while (pair->ring[i % RING])
			sched_yield();
		pair->ring[i % RING] = at;
	}
}

static void consume(struct pair *pair)
{
	for (size_t i = 0; i < BLOCKS / n_pairs; i++) {
		unsigned char *at;

		while (!(at = pair->ring[i % RING]))
			sched_yield();
		pair->ring[i % RING] = NULL;
		pair->sum += at[0];
		free(at);
	}
}

static void *work(void *arg)
{
	struct pair *pair = &pairs[(uintptr_t)arg / 2];

	if ((uintptr_t)arg % 2)
		consume(pair);
	else
		produce(pair, seed_of((uintptr_t)arg));
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0;

	n_pairs = number(argc, argv, 1, 1);
	pairs = must(calloc(n_pairs, sizeof(*pairs)));
	run_threads(work, 2 * n_pairs);
	for (size_t i = 0; i < n_pairs; i++)
		sum += pairs[i].sum;
	result(sum);
	return 0;
}
