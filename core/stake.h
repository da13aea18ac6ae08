/* SPDX-License-Identifier: MIT */
/*
 * stake.h - the private huge pages that a fork would share: how many, and making them fewer
 *
 * By the forking thread, with the gate closed.
 */
#ifndef HRESV_CORE_STAKE_H
#define HRESV_CORE_STAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/promise.h"

#define STAKE_SIZES 4

struct stake {
	size_t n;
	struct { size_t page_bytes; uint64_t pages; } of[STAKE_SIZES];
	uint64_t bytes;
};

struct stake stake_now(void);

/* Promises the child a free page for every one of them; false: there are not so many. */
bool stake_promise(const struct stake *s, struct promise *ret);

/*
 * Runs @run, which protects or moves private huge pages, where the caller is not hurt by it:
 * if its own stack or its thread's variables lie in some, those are made small first, from
 * a stack of ours, and @run goes on that one.
 */
void stake_run_beside(void (*run)(void));

/* Makes all of them small; @alone: there is no other thread. Not where the kernel holds pages for I/O. */
void stake_make_small(bool alone);

/*
 * Makes so many small that the rest can be promised: each that goes frees a huge page
 * for another, so half of what is short is enough. False: all had to go.
 */
bool stake_share_rest(bool alone, struct promise *ret);

#endif
