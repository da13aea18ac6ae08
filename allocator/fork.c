/* SPDX-License-Identifier: MIT */
/*
 * fork.c - the library alone needs the fork policy too
 *
 * Before the engine's own constructor, which registers handlers that take its
 * locks: ours must run after them, when no thread can hold one and wait for us.
 */
#include <stddef.h>

#include "allocator/cache.h"
#include "core/fork.h"

/* glibc's own name: what pthread_atfork() is made of (core/fork.c). */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			     void *owner);

/*
 * Not when the engine starts, which a fork handler's malloc may bring about: before
 * glibc 2.36 they run with the lock that this takes.
 */
__attribute__((constructor(101))) static void start(void)
{
	fork_start();
	__register_atfork(NULL, NULL, cache_forget_idle, NULL);
}
