/* SPDX-License-Identifier: MIT */
/*
 * prog-threads.c - the malloc family and threads: prog-threads CASE
 *
 * As prog-family.c: each case holds for glibc's malloc too.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/allocator/prog.h"

/* Threads, random calls, and each block's content is its own -------------------- */

enum { SHADOW_THREADS = 4, SHADOW_STEPS = 260000, SHADOW_BLOCKS = 300, SHADOW_SWAP = 64 };

struct block {
	unsigned char *at;
	size_t bytes;
	unsigned char tag;
};

static struct block swap_place[SHADOW_SWAP];
static pthread_mutex_t swap_lock = PTHREAD_MUTEX_INITIALIZER;

static size_t random_size(uint64_t *rng)
{
	uint64_t dice = next_random(rng) % 10000;

	if (dice == 0)
		return next_random(rng) % (6 << 20);
	if (dice < 20)
		return next_random(rng) % (300 << 10);
	if (dice < 1000)
		return next_random(rng) % 20000;
	return next_random(rng) % 600;
}

/* First, last and a few between: all of it would test memset. */
static void stamp(struct block *b)
{
	for (size_t i = 0; i < b->bytes; i += b->bytes / 16 + 1)
		b->at[i] = b->tag;
	if (b->bytes)
		b->at[b->bytes - 1] = b->tag;
}

static void verify(const struct block *b, size_t bytes)
{
	for (size_t i = 0; i < b->bytes; i += b->bytes / 16 + 1)
		CHECK(i >= bytes || b->at[i] == b->tag);
	CHECK(!b->bytes || b->bytes > bytes || b->at[b->bytes - 1] == b->tag);
}

static void make(struct block *b, uint64_t *rng)
{
	uint64_t how = next_random(rng) % 8;

	b->bytes = random_size(rng);
	b->tag = (unsigned char)(next_random(rng) | 1);
	if (how == 0) {
		b->at = calloc(1, b->bytes);
		CHECK(b->at && is_filled(b->at, 0, b->bytes));
	} else if (how == 1) {
		size_t align = (size_t)16 << next_random(rng) % 10;

		b->at = memalign(align, b->bytes);
		CHECK((uintptr_t)b->at % align == 0);
	} else {
		b->at = malloc(b->bytes);
	}
	CHECK(b->at && malloc_usable_size(b->at) >= b->bytes);
	stamp(b);
}

static void *shadow_work(void *arg)
{
	struct block *block = calloc(SHADOW_BLOCKS, sizeof(*block));
	uint64_t rng = 88172645463325252u + (uintptr_t)arg * 77;

	for (int step = 0; step < SHADOW_STEPS; step++) {
		struct block *b = &block[next_random(&rng) % SHADOW_BLOCKS];
		uint64_t what = next_random(&rng) % 16;

		if (!b->at) {
			make(b, &rng);
		} else if (what < 3) {
			size_t bytes = random_size(&rng) + 1;

			verify(b, b->bytes);
			b->at = realloc(b->at, bytes);
			CHECK(b->at);
			verify(b, bytes);
			b->bytes = bytes;
			stamp(b);
		} else if (what < 5) {
			struct block mine = *b;
			size_t i = next_random(&rng) % SHADOW_SWAP;

			pthread_mutex_lock(&swap_lock);
			*b = swap_place[i];
			swap_place[i] = mine;
			pthread_mutex_unlock(&swap_lock);
			if (b->at)
				verify(b, b->bytes);
		} else {
			verify(b, b->bytes);
			free(b->at);
			b->at = NULL;
		}
		if (step % 60000 == 59999)
			malloc_trim(0);
	}
	for (int i = 0; i < SHADOW_BLOCKS; i++) {
		if (block[i].at)
			verify(&block[i], block[i].bytes);
		free(block[i].at);
	}
	free(block);
	return NULL;
}

static void shadow(void)
{
	run_threads(shadow_work, SHADOW_THREADS);
	for (int i = 0; i < SHADOW_SWAP; i++)
		free(swap_place[i].at);
}

/* fork --------------------------------------------------------------------------- */

static volatile int stop;

static void *churn(void *arg)
{
	uint64_t rng = 1234567 + (uintptr_t)arg;

	while (!stop) {
		size_t bytes = random_size(&rng);
		unsigned char *at = malloc(bytes);

		CHECK(at);
		memset(at, 3, bytes < 5000 ? bytes : 5000);
		free(at);
		if (next_random(&rng) % 512 == 0) {
			at = malloc(9 << 20);
			CHECK(at);
			memset(at, 3, 9 << 20);
			free(at);
			if ((uintptr_t)arg == 0)
				malloc_trim(0);
		}
	}
	return NULL;
}

static void child_uses_the_heap(const unsigned char *kept, size_t bytes)
{
	alarm(20);
	CHECK(is_filled(kept, 0x5a, bytes));
	run_threads(churn, 0);
	for (size_t i = 1; i < 2000; i++) {
		unsigned char *at = malloc(i * 64);

		CHECK(at);
		memset(at, 1, i * 64);
		free(at);
	}
	_exit(0);
}

static void fork_with_threads(void)
{
	enum { N = 3, KEPT = 6 << 20 };
	unsigned char *kept = malloc(KEPT);
	pthread_t id[N];

	memset(kept, 0x5a, KEPT);
	for (intptr_t i = 0; i < N; i++)
		CHECK(pthread_create(&id[i], NULL, churn, (void *)i) == 0);
	for (int round = 0; round < 60; round++) {
		int status = 0;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			child_uses_the_heap(kept, KEPT);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	stop = 1;
	for (int i = 0; i < N; i++)
		pthread_join(id[i], NULL);
	CHECK(is_filled(kept, 0x5a, KEPT));
	free(kept);
}

/* Threads end ---------------------------------------------------------------------- */

static pthread_key_t key;

/* Runs when the allocator has perhaps cleaned up after the thread already. */
static void late(void *value)
{
	void *at = malloc(300);
	static _Atomic unsigned calls;

	CHECK(at);
	free(at);
	free(value);
	if (calls++ % 2)
		CHECK(pthread_setspecific(key, malloc(50)) == 0);
}

static void *short_work(void *arg)
{
	void *at[50];

	CHECK(pthread_setspecific(key, malloc(100)) == 0);
	for (int i = 0; i < 50; i++)
		CHECK((at[i] = malloc((size_t)i * 100 + 1)) != NULL);
	for (int i = 0; i < 50; i++)
		free(at[i]);
	return arg;
}

static void thread_exit(void)
{
	long before;

	CHECK(pthread_key_create(&key, late) == 0);
	for (int i = 0; i < 50; i++)
		run_threads(short_work, 8);
	before = resident_kib();
	for (int i = 0; i < 400; i++)
		run_threads(short_work, 8);
	CHECK(resident_kib() - before < 16 << 10);
}

/* All live at once, so that more caches are left than threads to come take up. */
static pthread_barrier_t all_live;

static void *crowded_work(void *arg)
{
	static const size_t most = 6000;
	void *at[100];

	for (size_t i = 0; i < 100; i++) {
		at[i] = malloc(i * most / 100 + 1);
		CHECK(at[i]);
		memset(at[i], 1, i * most / 100 + 1);
	}
	pthread_barrier_wait(&all_live);
	for (int i = 0; i < 100; i++)
		free(at[i]);
	return arg;
}

static void thread_crowds(void)
{
	enum { N = 16, ROUNDS = 300 };
	long before;

	CHECK(pthread_barrier_init(&all_live, NULL, N) == 0);
	for (int i = 0; i < 20; i++)
		run_threads(crowded_work, N);
	before = resident_kib();
	for (int i = 0; i < ROUNDS; i++)
		run_threads(crowded_work, N);
	CHECK(resident_kib() - before < 16 << 10);
}

/* The first call a thread makes: small, on a line that its size alone would not give it. */
static void *aligned_work(void *arg)
{
	enum { N = 500 };
	char *at[N];
	void *first;

	CHECK(posix_memalign(&first, 16, 8) == 0);
	CHECK(malloc_usable_size(first) >= 8 && (uintptr_t)first % 16 == 0);
	for (int i = 0; i < N; i++) {
		at[i] = malloc(16);
		memset(at[i], i, 16);
	}
	for (int i = 0; i < N; i++) {
		CHECK(malloc_usable_size(at[i]) >= 16);
		at[i] = realloc(at[i], 40);
		for (int j = 0; j < 16; j++)
			CHECK(at[i][j] == (char)i);
	}
	free(first);
	for (int i = 0; i < N; i++)
		free(at[i]);
	return arg;
}

static void thread_aligned(void)
{
	for (int i = 0; i < 50; i++)
		run_threads(aligned_work, 4);
}

int main(int argc, char **argv)
{
	static const struct prog_case cases[] = {
		{ "shadow", shadow },
		{ "fork_with_threads", fork_with_threads },
		{ "thread_exit", thread_exit },
		{ "thread_crowds", thread_crowds },
		{ "thread_aligned", thread_aligned },
	};

	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
