/* SPDX-License-Identifier: MIT */
/*
 * mode.h - whose malloc is it now?
 *
 * The first calls are served by the early heap. Then either the engine is
 * started, for good, or the next malloc in line is used, for good: with
 * HUGETLB_MORECORE=no, where we are not active, and where another malloc stands
 * in front of ours (a program's own, AddressSanitizer's).
 *
 * Every call asks one thread-local flag. What isn't yet known takes the slow way.
 */
#ifndef HRESV_ALLOCATOR_MODE_H
#define HRESV_ALLOCATOR_MODE_H

#include <stdbool.h>
#include <stddef.h>

#include "allocator/early.h"

enum mode {
	MODE_EARLY,		/* not decided; blocks come from the early heap */
	MODE_STARTING,		/* one thread is at it */
	MODE_OURS,
	MODE_NEXT,
};

/* This thread has its arena: the engine may be called without further ado. */
extern __thread bool mode_thread_ready
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline bool mode_is_fast(void)
{
	return __builtin_expect(mode_thread_ready, 1);
}

/* The same for a block that is handed back: neither early nor somebody else's. */
static inline bool mode_is_fast_for(const void *at)
{
	return mode_is_fast() && __builtin_expect(!early_owns(at), 1);
}

/*
 * Who shall serve @bytes on a line of @align: MODE_OURS (this thread has its
 * arena), MODE_NEXT, or MODE_EARLY with the block in *ret_early, which is NULL
 * when memory is out. Starts the engine when the early heap is used up.
 */
enum mode mode_for(size_t bytes, size_t align, void **ret_early);

/* Starts the engine, or the next malloc: for calls that ask about either. */
enum mode mode_settled(void);

/* As it is now, without starting anything. */
enum mode mode_now(void);

/*
 * fork: waits for a start that is under way, tells the mode, and lets nobody start until
 * it is thawed in the parent and renewed in the child, by the same thread. One that forks
 * amid its own start, in a signal handler, waits for nobody.
 */
enum mode mode_freeze(void);
void mode_thaw(void);
void mode_renew(void);

#endif
