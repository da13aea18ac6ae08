/* SPDX-License-Identifier: MIT */
/*
 * arena.c - arenas are made here, as threads need them
 *
 * The engine is told to make none but the first (narenas:1): an arena it made by
 * itself would get its own hooks. Threads come to their arena by way of their cache.
 */
#include "allocator/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "allocator/cache.h"
#include "allocator/class.h"
#include "allocator/engine.h"
#include "allocator/extents.h"
#include "core/base/sys.h"
#include "core/base/text.h"
#include "core/facts/conf.h"

#define ARENAS_A_CPU 1
#define ARENAS_MOST 1024
#define ARENA_NONE 0u

/*
 * made[0] is 0 for the engine's arena 0, unless HUGETLB_MALLOC_START is 0; made[i] is 0
 * until arena i is needed. threads[i]
 * counts those that live: new ones go where the fewest are, so that threads that
 * come and go share what is there already.
 */
static struct {
	unsigned most;
	unsigned n;
	unsigned growth;
	unsigned made[ARENAS_MOST];
	unsigned threads[ARENAS_MOST];
	size_t thread_mib[2];
	extent_hooks_t *hooks;
	pthread_key_t key;
	bool has_key;
} arenas;

extern char **environ;

/* narenas of the user's MALLOC_CONF, which the engine isn't allowed to follow. */
static unsigned wanted_arenas(void)
{
	static const char name[] = "MALLOC_CONF=";
	struct span conf, option;
	uint64_t n = 0, value;

	for (char **e = environ; e && *e; e++) {
		if (strncmp(*e, name, sizeof(name) - 1) != 0)
			continue;
		conf = span_of(*e + sizeof(name) - 1);
		while (span_next_field(&conf, ',', &option))
			if (span_starts(option, "narenas:") &&
			    text_u64((struct span){ option.at + 8, option.bytes - 8 }, &value) == 0)
				n = value;
	}
	return n < ARENAS_MOST ? (unsigned)n : ARENAS_MOST;
}

static unsigned cpus(void)
{
	unsigned long mask[128] = { 0 };
	long bytes = sys_call(SYS_sched_getaffinity, 0, sizeof(mask), (long)mask, 0, 0, 0);
	unsigned n = 0;

	for (size_t i = 0; !sys_failed(bytes) && i < (size_t)bytes / sizeof(mask[0]); i++)
		n += (unsigned)__builtin_popcountl(mask[i]);
	return n ? n : 1;
}

/*
 * The engine purges what is larger than this as soon as it is freed; its option
 * oversize_threshold:0, which should turn that off, does not reach arenas.
 */
static void keep_large(unsigned arena)
{
	size_t mib[3], n = 3, most = SIZE_MAX / 4;

	if (je_mallctlnametomib("arena.0.oversize_threshold", mib, &n) != 0)
		return;
	mib[1] = arena;
	je_mallctlbymib(mib, n, NULL, NULL, &most, sizeof(most));
}

unsigned arena_count(void)
{
	return __atomic_load_n(&arenas.n, __ATOMIC_ACQUIRE);
}

/* Two threads may both make one; the second one's is dropped, and stays empty. */
static unsigned make(unsigned *slot)
{
	unsigned made = ARENA_NONE, none = ARENA_NONE;
	size_t bytes = sizeof(made);

	if (je_mallctl("arenas.create", &made, &bytes, &arenas.hooks, sizeof(arenas.hooks)) != 0)
		return 0;
	keep_large(made);
	if (!__atomic_compare_exchange_n(slot, &none, made, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return none;
	__atomic_fetch_add(&arenas.n, 1, __ATOMIC_RELEASE);
	return made;
}

/* What it keeps it keeps for growing blocks alone, so it keeps it for a second. */
unsigned arena_for_growth(void)
{
	unsigned arena = __atomic_load_n(&arenas.growth, __ATOMIC_ACQUIRE);
	size_t mib[3], n = 3;
	ssize_t ms = 1000;

	if (arena != ARENA_NONE)
		return arena;
	arena = make(&arenas.growth);
	if (arena != ARENA_NONE && je_mallctlnametomib("arena.0.dirty_decay_ms", mib, &n) == 0) {
		mib[1] = arena;
		je_mallctlbymib(mib, n, NULL, NULL, &ms, sizeof(ms));
	}
	return arena;
}

void arena_let_go(void)
{
	size_t mib[3], n = 3;

	if (je_mallctlnametomib("arena.0.purge", mib, &n) != 0)
		return;
	for (unsigned i = 0; i < arenas.most; i++) {
		mib[1] = __atomic_load_n(&arenas.made[i], __ATOMIC_ACQUIRE);
		if (i == 0 || mib[1] != ARENA_NONE)
			je_mallctlbymib(mib, n, NULL, NULL, NULL, 0);
	}
}

/* The first with the fewest threads. */
static unsigned choose(void)
{
	unsigned best = 0, fewest = UINT32_MAX;

	for (unsigned i = 0; i < arenas.most && fewest; i++) {
		unsigned now = __atomic_load_n(&arenas.threads[i], __ATOMIC_RELAXED);

		if (now < fewest) {
			fewest = now;
			best = i;
		}
	}
	return best;
}

/* The engine's arena of a slot, made if need be. */
static unsigned arena_in(unsigned slot)
{
	unsigned arena = __atomic_load_n(&arenas.made[slot], __ATOMIC_ACQUIRE);

	return slot && arena == ARENA_NONE ? make(&arenas.made[slot]) : arena;
}

/* @arena is 0, or one the program has bound the thread to. */
static void use_arena(struct cache *cache, unsigned arena)
{
	cache->of_program = arena != 0;
	cache_set_arena(cache, arena ? arena : arena_in(cache->slot));
}

/* From now on the thread goes straight to the engine: other destructors may follow. */
static void thread_ends(void *value)
{
	struct cache *cache = value;

	cache_mine = NULL;
	__atomic_fetch_sub(&arenas.threads[cache->slot], 1, __ATOMIC_RELAXED);
	if (cache->of_program) {
		cache_flush(cache);
		use_arena(cache, 0);
	}
	cache_leave(cache, arenas.most);
}

/*
 * Threads are not bound to arenas in the engine's sense: it purges an arena when the
 * last thread bound to it ends. Theirs is said with each call instead.
 */
void arena_bind_thread(void)
{
	struct cache *cache = arenas.has_key ? cache_take() : NULL;

	if (!cache)
		return;
	if (!cache->flags) {
		cache->slot = choose();
		cache_set_arena(cache, arena_in(cache->slot));
	}
	__atomic_fetch_add(&arenas.threads[cache->slot], 1, __ATOMIC_RELAXED);
	if (pthread_setspecific(arenas.key, cache) == 0)
		cache_mine = cache;
	else
		thread_ends(cache);
}

void arena_follow_program(void)
{
	unsigned arena;
	size_t bytes = sizeof(arena);

	if (cache_mine &&
	    je_mallctlbymib(arenas.thread_mib, 2, &arena, &bytes, NULL, 0) == 0)
		use_arena(cache_mine, arena);
}

bool arena_start(void)
{
	size_t n = 2;

	arenas.hooks = &extents_hooks;
	arenas.has_key = pthread_key_create(&arenas.key, thread_ends) == 0;
	if (je_mallctlnametomib("thread.arena", arenas.thread_mib, &n) != 0 ||
	    je_mallctl("arena.0.extent_hooks", NULL, NULL, &arenas.hooks,
		       sizeof(arenas.hooks)) != 0)
		return false;
	arenas.most = wanted_arenas();
	if (!arenas.most)
		arenas.most = cpus() * ARENAS_A_CPU;
	if (arenas.most > ARENAS_MOST)
		arenas.most = ARENAS_MOST;
	arenas.n = 1;
	keep_large(0);
	classes_start();
	/* The engine began arena 0 with memory of its own: no place for a heap huge from the start. */
	if (conf_get() && conf_get()->malloc_start == 0)
		make(&arenas.made[0]);
	return true;
}
