/* SPDX-License-Identifier: MIT */
/*
 * turn.h - processes that want the last pages take turns
 *
 * Two processes that populate the last pages at once can both come up short of
 * what one of them could have had. Everybody who populates therefore holds the
 * turn together with others; who came up short gives back what it will not
 * keep, and asks again with the turn to itself, when nobody holds pages only
 * for the moment.
 *
 * The turn is a flock(2) on the pool's own file in /sys, which every process
 * can open and nobody can remove. No turn (hidden /sys, no descriptor left, a
 * holder that does not let go within TURN_PATIENCE_NS) is no error: the caller
 * goes on without, and may come up short where it need not have.
 */
#ifndef HRESV_CORE_ACT_TURN_H
#define HRESV_CORE_ACT_TURN_H

#include <stddef.h>
#include <stdint.h>

#define TURN_PATIENCE_NS 2000000000u

enum turn_kind { TURN_TOGETHER, TURN_ALONE };

struct turn {
	int fd;		/* -1: none */
};

/* The pool's file, read-only: what turns and promises (promise.h) are locks on; -1: none. */
int turn_open(size_t page_bytes);

struct turn turn_take(enum turn_kind kind, size_t page_bytes);
/* For whom a late answer is worse than coming up short. */
struct turn turn_take_within(enum turn_kind kind, size_t page_bytes, uint64_t patience_ns);
void turn_drop(struct turn *t);

#endif
