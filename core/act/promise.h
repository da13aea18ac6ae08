/* SPDX-License-Identifier: MIT */
/*
 * promise.h - free pages that a running child is counted on to need
 *
 * After a plain fork every page that parent and child share needs a second one
 * when either writes. What was free for that at the fork, in the pool and below
 * every limit of the groups above, must stay free while the child runs. The kernel
 * keeps no such account; libhresv's processes do (ledger.h), and leave promised
 * pages alone: one account for the pool, and one for each group with a limit, which
 * only those below that limit add to and heed.
 */
#ifndef HRESV_CORE_ACT_PROMISE_H
#define HRESV_CORE_ACT_PROMISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/fd.h"

/* The pool of each size, and the limits above it; more than these are not promised. */
#define PROMISE_ACCOUNTS 24

/* All zero: nothing is promised. */
struct promise {
	size_t n;
	struct fd_kept fd[PROMISE_ACCOUNTS];
};

/**
 * promise_add - @pages more, of which the pool has @spare_pages to spare
 *
 * The caller has the turn to itself (turn.h). The descriptors are inherited by the
 * child and closed in the parent; they are close-on-exec, and far above the numbers
 * programs expect to get.
 *
 * Return: true; false: not enough, or no account can be kept. What was added before
 * stays until promise_end().
 */
bool promise_add(struct promise *p, size_t page_bytes, uint64_t pages, uint64_t spare_pages);

void promise_end(struct promise *p);

/* All promises on one pool, in pages; 0 also where they can't be known. */
uint64_t promise_pages(size_t page_bytes);

/*
 * How many of @want pages may be taken without touching promised ones; @fd is the
 * pool's file (a turn), or -1.
 */
size_t promise_leaves(int fd, size_t page_bytes, size_t want);

#endif
