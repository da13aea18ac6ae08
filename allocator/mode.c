/* SPDX-License-Identifier: MIT */
/*
 * mode.c - the decision, made once
 *
 * Pitfalls.
 * 1. The start allocates: the engine's own (pthread_atfork), dlsym's. Those calls
 *    come from the starting thread and get early blocks; other threads wait.
 * 2. Before libc has set up its environment there is no configuration. The
 *    loader's own blocks are early ones, whatever is decided later.
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

static struct {
	uint32_t mode;		/* a futex word */
	uint32_t starter;	/* thread, while MODE_STARTING */
} state;

enum mode mode_now(void)
{
	return (enum mode)__atomic_load_n(&state.mode, __ATOMIC_ACQUIRE);
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
	__atomic_store_n(&state.mode, mode, __ATOMIC_RELEASE);
	sys_futex_wake(&state.mode, INT32_MAX);
}

/* Returns with the mode decided, or MODE_STARTING for the thread that is at it. */
static enum mode start(enum mode wanted)
{
	uint32_t was = MODE_EARLY, self = (uint32_t)sys_gettid();

	if (__atomic_compare_exchange_n(&state.mode, &was, MODE_STARTING, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&state.starter, self, __ATOMIC_RELEASE);
		settle(wanted);
		return mode_now();
	}
	while (was == MODE_STARTING) {
		if (__atomic_load_n(&state.starter, __ATOMIC_ACQUIRE) == self)
			return MODE_STARTING;
		sys_futex_wait(&state.mode, MODE_STARTING, NULL);
		was = mode_now();
	}
	return (enum mode)was;
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
