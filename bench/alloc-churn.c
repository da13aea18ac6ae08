/* SPDX-License-Identifier: MIT */
/*
 * alloc-churn.c - blocks made and freed, as programs do it: alloc-churn CASE [THREADS]
 *
 *   mix     batches of blocks of 1 to 1000 bytes, freed forwards, backwards and
 *           in random order; every fourth batch is freed by another thread
 *   big     blocks of 64 KiB to 16 MiB of random lifetime, each page touched
 *   grow    one block grown by realloc from 64 KiB to 256 MiB, again and again
 *   heap    a gigabyte of blocks of 16 to 512 bytes, then all freed
 *   list    a chain through 256 MiB of blocks of 48 bytes, followed at random
 *   larson  threads that replace random blocks, and hand all of them to new threads
 *   short   rounds of threads that live for a few thousand blocks each
 *   cross   blocks made by one thread and freed by the next
 *
 * Prints nothing: the driver, bench/alloc.sh, measures the process.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int threads = 1;

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static uint64_t seed_of(uintptr_t n)
{
	return 0x9e3779b97f4a7c15u * (n + 1);
}

static void *must(void *at)
{
	if (!at)
		exit(2);
	return at;
}

static void run_threads(void *(*work)(void *), int n)
{
	pthread_t id[64];

	for (intptr_t i = 0; i < n; i++)
		if (pthread_create(&id[i], NULL, work, (void *)i) != 0)
			exit(2);
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
}

/* mix ------------------------------------------------------------------------------ */

enum { MIX_BATCH = 2000, MIX_ROUNDS = 4000 };

static _Atomic(char **) left_for_others;

static void free_batch(char **block, int order, uint64_t *rng)
{
	for (int i = MIX_BATCH - 1; order == 2 && i > 0; i--) {
		int j = (int)(next_random(rng) % (unsigned)(i + 1));
		char *at = block[i];

		block[i] = block[j];
		block[j] = at;
	}
	for (int i = 0; i < MIX_BATCH; i++)
		free(block[order == 1 ? MIX_BATCH - 1 - i : i]);
	free(block);
}

static void *mix(void *arg)
{
	uint64_t rng = seed_of((uintptr_t)arg);

	for (int round = 0; round < MIX_ROUNDS; round++) {
		char **block = must(malloc(MIX_BATCH * sizeof(*block)));

		for (int i = 0; i < MIX_BATCH; i++) {
			size_t bytes = 1 + next_random(&rng) % 1000;

			block[i] = must(malloc(bytes));
			block[i][0] = block[i][bytes - 1] = (char)i;
		}
		if (round % 4 == 3)
			block = atomic_exchange(&left_for_others, block);
		if (block)
			free_batch(block, round % 3, &rng);
	}
	return NULL;
}

/* big ------------------------------------------------------------------------------ */

enum { BIG_SLOTS = 16, BIG_ROUNDS = 1500 };

static void *big(void *arg)
{
	uint64_t rng = seed_of((uintptr_t)arg);
	char *slot[BIG_SLOTS] = { NULL };

	for (int round = 0; round < BIG_ROUNDS; round++) {
		int i = (int)(next_random(&rng) % BIG_SLOTS);
		size_t bytes = (size_t)1 << (16 + next_random(&rng) % 8);

		bytes += next_random(&rng) % bytes;
		free(slot[i]);
		slot[i] = must(malloc(bytes));
		for (size_t at = 0; at < bytes; at += 4096)
			slot[i][at] = (char)round;
	}
	for (int i = 0; i < BIG_SLOTS; i++)
		free(slot[i]);
	return NULL;
}

/* grow ----------------------------------------------------------------------------- */

enum { GROW_ROUNDS = 6 };

static void *grow(void *arg)
{
	(void)arg;
	for (int round = 0; round < GROW_ROUNDS; round++) {
		char *at = NULL;
		size_t had = 0;

		for (size_t bytes = 64 << 10; bytes <= 256 << 20; bytes += bytes / 8) {
			at = must(realloc(at, bytes));
			for (size_t i = had; i < bytes; i += 4096)
				at[i] = 1;
			had = bytes;
		}
		free(at);
	}
	return NULL;
}

/* heap ------------------------------------------------------------------------------ */

static void *heap(void *arg)
{
	size_t left = ((size_t)1 << 30) / (size_t)threads;
	uint64_t rng = seed_of((uintptr_t)arg);
	void **chain = NULL;

	while (left > 512) {
		size_t bytes = 16 + next_random(&rng) % 496;
		void **at = must(malloc(bytes));

		*at = chain;
		chain = at;
		left -= bytes;
	}
	while (chain) {
		void **at = *chain;

		free(chain);
		chain = at;
	}
	return NULL;
}

/* list ------------------------------------------------------------------------------ */

struct node {
	struct node *next;
	char payload[40];
};

static void *list(void *arg)
{
	const size_t n = ((size_t)256 << 20) / sizeof(struct node);
	struct node **node = must(malloc(n * sizeof(*node)));
	uint64_t rng = seed_of((uintptr_t)arg);

	for (size_t i = 0; i < n; i++)
		node[i] = must(malloc(sizeof(struct node)));
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = next_random(&rng) % (i + 1);
		struct node *at = node[i];

		node[i] = node[j];
		node[j] = at;
	}
	for (size_t i = 0; i < n; i++)
		node[i]->next = node[(i + 1) % n];

	struct node *at = node[0];

	for (size_t i = 0; i < 3 * n; i++)
		at = at->next;
	if (at == NULL)
		puts("");
	for (size_t i = 0; i < n; i++)
		free(node[i]);
	free(node);
	return NULL;
}

/* larson ---------------------------------------------------------------------------- */

enum { LARSON_BLOCKS = 1000, LARSON_STEPS = 200000, LARSON_GENERATIONS = 20 };

static char *larson_block[64][LARSON_BLOCKS];

static void *larson_work(void *arg)
{
	char **block = larson_block[(intptr_t)arg];
	static _Atomic unsigned born;
	uint64_t rng = seed_of(atomic_fetch_add(&born, 1));

	for (int step = 0; step < LARSON_STEPS; step++) {
		size_t i = next_random(&rng) % LARSON_BLOCKS;
		size_t bytes = 8 + next_random(&rng) % 993;

		free(block[i]);
		block[i] = must(malloc(bytes));
		block[i][0] = (char)step;
	}
	return NULL;
}

static void *larson(void *arg)
{
	(void)arg;
	for (int generation = 0; generation < LARSON_GENERATIONS; generation++)
		run_threads(larson_work, threads);
	return NULL;
}

/* short ------------------------------------------------------------------------------ */

enum { SHORT_ROUNDS = 1500, SHORT_BLOCKS = 3000, SHORT_SHARED = 1000 };

static _Atomic(char *) short_shared[SHORT_SHARED];

/* A few thousand blocks; one in eight is swapped for one of another thread's. */
static void *short_work(void *arg)
{
	static _Atomic unsigned born;
	uint64_t rng = seed_of(atomic_fetch_add(&born, 1));
	char *block[SHORT_BLOCKS / 4] = { NULL };

	(void)arg;
	for (int step = 0; step < SHORT_BLOCKS; step++) {
		size_t i = next_random(&rng) % (SHORT_BLOCKS / 4);
		uint64_t dice = next_random(&rng) % 256;
		size_t bytes = dice == 0 ? 64 << 10 : dice < 4 ? 8 << 10 : 16 + dice * 4;

		free(block[i]);
		block[i] = must(malloc(bytes));
		block[i][0] = block[i][bytes - 1] = (char)step;
		if (dice % 8 == 0)
			block[i] = atomic_exchange(&short_shared[next_random(&rng) % SHORT_SHARED],
						   block[i]);
	}
	for (int i = 0; i < SHORT_BLOCKS / 4; i++)
		free(block[i]);
	return NULL;
}

static void *short_lived(void *arg)
{
	(void)arg;
	for (int round = 0; round < SHORT_ROUNDS; round++)
		run_threads(short_work, threads);
	return NULL;
}

/* cross ------------------------------------------------------------------------------ */

enum { CROSS_BATCH = 120, CROSS_ROUNDS = 60000, CROSS_RING = 64 };

static _Atomic(char **) ring[CROSS_RING];

static void *cross(void *arg)
{
	uint64_t rng = seed_of((uintptr_t)arg);

	for (int round = 0; round < CROSS_ROUNDS; round++) {
		char **batch = must(malloc(CROSS_BATCH * sizeof(*batch)));

		for (int i = 0; i < CROSS_BATCH; i++) {
			batch[i] = must(malloc(64 + next_random(&rng) % 64));
			batch[i][0] = (char)i;
		}
		batch = atomic_exchange(&ring[next_random(&rng) % CROSS_RING], batch);
		if (!batch)
			continue;
		for (int i = 0; i < CROSS_BATCH; i++)
			free(batch[i]);
		free(batch);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void *(*work)(void *);
		int own_threads;
	} cases[] = {
		{ "mix", mix, 0 },	 { "big", big, 0 },   { "grow", grow, 0 },
		{ "heap", heap, 0 },	 { "list", list, 0 }, { "larson", larson, 1 },
		{ "short", short_lived, 1 }, { "cross", cross, 0 }, { "none", NULL, 0 },
	};

	if (argc > 2)
		threads = atoi(argv[2]);
	if (argc < 2 || threads < 1 || threads > 64)
		return 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) != 0)
			continue;
		if (cases[i].own_threads)
			cases[i].work(NULL);
		else if (cases[i].work)
			run_threads(cases[i].work, threads);
		return 0;
	}
	return 2;
}
