/* SPDX-License-Identifier: MIT */
/*
 * arena.c - arenas are made here, as threads need them
 *
 * The engine is told to make none but the first (narenas:1): an arena it made by
 * itself would get its own hooks. Threads are dealt out over the arenas in turn.
 */
#include "allocator/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "allocator/engine.h"
#include "allocator/extents.h"
#include "core/base/sys.h"
#include "core/base/text.h"
#include "core/facts/conf.h"

#define ARENAS_A_CPU 4
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

/* Its value is the arena's index, and 1. */
static void thread_ends(void *value)
{
	__atomic_fetch_sub(&arenas.threads[(uintptr_t)value - 1], 1, __ATOMIC_RELAXED);
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

static unsigned make(unsigned *slot);

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
	/* The engine began arena 0 with memory of its own: no place for a heap huge from the start. */
	if (conf_get() && conf_get()->malloc_start == 0)
		make(&arenas.made[0]);
	return true;
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

/* The first with the fewest threads; counted in. */
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
	__atomic_fetch_add(&arenas.threads[best], 1, __ATOMIC_RELAXED);
	return best;
}

void arena_bind_thread(void)
{
	unsigned i = choose(), arena = __atomic_load_n(&arenas.made[i], __ATOMIC_ACQUIRE);

	if (arenas.has_key)
		pthread_setspecific(arenas.key, (void *)((uintptr_t)i + 1));
	if (i == 0 && arena == ARENA_NONE)
		return;		/* where every thread begins */
	if (arena == ARENA_NONE)
		arena = make(&arenas.made[i]);
	if (arena != ARENA_NONE)
		je_mallctlbymib(arenas.thread_mib, 2, NULL, NULL, &arena, sizeof(arena));
}
