/* SPDX-License-Identifier: MIT */
/*
 * mode.c - the decision, made once
 *
 * Pitfalls.
 * 1. The start allocates: the engine's own (pthread_atfork), dlsym's. Those calls
 *    come from the starting thread and get early blocks; other threads wait.
 * 2. Before libc has set up its environment there is no configuration. The
 *    loader's own blocks are early ones, whatever is decided later.
 * 3. Threads that wait may hold the loader's lock: a constructor within dlopen(). So the
 *    start of the engine takes none of the loader's (next_look()).
 * 4. A child has no starter: a fork waits until the start is through, and nobody starts
 *    until it is done.
 */
#include "allocator/mode.h"

#include <errno.h>
#include <stdint.h>

#include "allocator/arena.h"
#include "allocator/next.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/plan.h"

__thread bool mode_thread_ready;

static __thread bool binding __attribute__((tls_model("initial-exec")));

/* What the thread that forks has done to the start. */
static __thread enum { FROZE_NOTHING, FROZE_START, FROZE_OWN } frozen
	__attribute__((tls_model("initial-exec")));

/*
 * The mode, and above it the thread that is at it while MODE_STARTING: one word, so that
 * a signal handler never finds the one without the other. A futex.
 */
static uint32_t state;

#define MODE_MASK 3u

static uint32_t starting_by_me(void)
{
	return MODE_STARTING | (uint32_t)sys_gettid() << 2;
}

enum mode mode_now(void)
{
	return (enum mode)(__atomic_load_n(&state, __ATOMIC_ACQUIRE) & MODE_MASK);
}

static void become(enum mode mode)
{
	__atomic_store_n(&state, mode, __ATOMIC_RELEASE);
	sys_futex_wake(&state, INT32_MAX);
}

static enum mode decide(void)
{
	const struct conf *conf = conf_get();

	if (!conf)
		return MODE_EARLY;
	if (!conf->active || !conf->morecore.on)
		return MODE_NEXT;
	return MODE_OURS;
}

static bool stands_aside(void)
{
	const struct conf *conf = conf_get();
	const char *why = NULL;

	if (next_is_in_front())
		why = "the program has a malloc of its own: ours stands aside";
	else if (plan_has_little_room())
		why = "RLIMIT_AS or RLIMIT_DATA leaves little room: our malloc stands aside";
	if (why && conf && conf->verbose >= 2)
		out_say(why, "", "", "", "", "");
	return why != NULL;
}

static void settle(enum mode mode)
{
	if (mode == MODE_OURS && stands_aside())
		mode = MODE_NEXT;
	if (mode == MODE_NEXT && !next_find())
		mode = MODE_OURS;
	if (mode == MODE_OURS && !arena_start())
		mode = next_find() ? MODE_NEXT : MODE_OURS;
	become(mode);
}

/*
 * The one who may start, or hold others from it: @mine is then the word. What else it is:
 * decided, or @mine already. Waits for others.
 */
static uint32_t take_start(uint32_t mine)
{
	for (;;) {
		uint32_t was = MODE_EARLY;

		if (__atomic_compare_exchange_n(&state, &was, mine, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return MODE_EARLY;
		if ((was & MODE_MASK) != MODE_STARTING || was == mine)
			return was;
		sys_futex_wait(&state, was, NULL);
	}
}

/* Returns with the mode decided, or MODE_STARTING for the thread that is at it. */
static enum mode start(enum mode wanted)
{
	uint32_t was = take_start(starting_by_me());

	if (was != MODE_EARLY)
		return (enum mode)(was & MODE_MASK);
	settle(wanted);
	return mode_now();
}

enum mode mode_freeze(void)
{
	uint32_t was = take_start(starting_by_me());

	frozen = was == MODE_EARLY		       ? FROZE_START :
		 (was & MODE_MASK) == MODE_STARTING ? FROZE_OWN :
							 FROZE_NOTHING;
	return (enum mode)(was & MODE_MASK);
}

void mode_thaw(void)
{
	if (frozen == FROZE_START)
		become(MODE_EARLY);
	frozen = FROZE_NOTHING;
}

void mode_renew(void)
{
	if (frozen == FROZE_OWN)
		__atomic_store_n(&state, starting_by_me(), __ATOMIC_RELEASE);
	mode_thaw();
}

static void bind_thread(void)
{
	if (mode_thread_ready || binding)
		return;
	binding = true;
	arena_bind_thread();
	binding = false;
	mode_thread_ready = true;
}

enum mode mode_for(size_t bytes, size_t align, void **ret_early)
{
	enum mode mode = mode_now();

	if (mode == MODE_EARLY) {
		enum mode wanted = decide();

		if (wanted == MODE_OURS && conf_get()->malloc_start)
			*ret_early = early_alloc(bytes, align, EARLY_BUDGET);
		else
			*ret_early = NULL;
		if (*ret_early)
			return MODE_EARLY;
		mode = wanted == MODE_EARLY ? MODE_STARTING : start(wanted);
	} else if (mode == MODE_STARTING) {
		mode = start(MODE_OURS);
	}
	if (mode == MODE_STARTING) {
		*ret_early = early_alloc(bytes, align, EARLY_BYTES);
		if (!*ret_early)
			errno = ENOMEM;
		return MODE_EARLY;
	}
	if (mode == MODE_OURS)
		bind_thread();
	return mode;
}

enum mode mode_settled(void)
{
	enum mode mode = mode_now();

	if (mode == MODE_EARLY) {
		enum mode wanted = decide();

		mode = wanted == MODE_EARLY ? MODE_EARLY : start(wanted);
	} else if (mode == MODE_STARTING) {
		mode = start(MODE_OURS);
	}
	if (mode == MODE_OURS)
		bind_thread();
	return mode == MODE_STARTING ? MODE_EARLY : mode;
}
