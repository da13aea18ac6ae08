/* SPDX-License-Identifier: MIT */
/*
 * fork.c - what the allocator does at a fork, and that the library alone has the fork policy
 *
 * Registered before anybody else's handlers, so that prepare runs after theirs, which may
 * allocate, and just before core's: when the gate closes no thread can hold one of the
 * engine's locks and wait for us. Not when the engine starts, which a fork handler's malloc
 * may bring about: before glibc 2.36 they run with the lock that this takes.
 */
#include <stdbool.h>
#include <stddef.h>

#include "allocator/cache.h"
#include "allocator/engine.h"
#include "allocator/mode.h"
#include "allocator/next.h"
#include "core/base/lock.h"
#include "core/fork.h"

/* glibc's own name: what pthread_atfork() is made of (core/fork.c). */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			     void *owner);

/* The thread that forks has the engine's locks. */
static __thread bool engine_frozen __attribute__((tls_model("initial-exec")));

/* From here on: a handler that forked in between would thaw what this fork has frozen. */
static __thread struct quiet quiet __attribute__((tls_model("initial-exec")));

static void prepare(void)
{
	struct quiet q;

	quiet_enter(&q);
	quiet = q;
	engine_frozen = mode_freeze() == MODE_OURS && engine_fork_prepare();
}

static void leave(void)
{
	const struct quiet q = quiet;

	quiet_leave(&q);
}

static void parent(void)
{
	if (engine_frozen)
		engine_fork_parent();
	mode_thaw();
	leave();
}

static void child(void)
{
	if (engine_frozen)
		engine_fork_child();
	mode_renew();
	cache_forget_idle();
	leave();
}

__attribute__((constructor(101))) static void start(void)
{
	next_look();
	fork_start();
	__register_atfork(prepare, parent, child, NULL);
}
