/* SPDX-License-Identifier: MIT */
/* reserve_own.h - what a reservation is, for reserve*.c */
#ifndef HRESV_CORE_RESERVE_OWN_H
#define HRESV_CORE_RESERVE_OWN_H

#include "core/act/hold.h"
#include "core/base/lock.h"
#include "core/reserve.h"

/* Of a page of a private reservation. */
enum page_state { PAGE_HELD, PAGE_OPEN, PAGE_LOST };

struct reservation {
	bool is_private;
	bool counted;		/* by stats_hold(): we made it */
	size_t page_bytes, record_bytes;
	struct hold hold;	/* shared */
	/* private: */
	struct reservation *next;
	bool stale;		/* a fork child's copy */
	uintptr_t at;
	size_t pages;
	unsigned char state[];	/* enum page_state of each */
};

/* All private ones; the lock guards the list, their states and what lies behind them. */
struct reserve_list {
	struct lock lock;
	struct reservation *first;
};

struct reserve_list *reserve_list(void);

/* The private halves. Called as a guest of the gate. */
int reserve_private_make(const struct reserve_want *want, size_t page_bytes, struct reservation *r);
long reserve_private_map(struct reservation *r, size_t first, size_t pages, int prot);
int reserve_private_unmap(struct reservation *r, size_t first, size_t pages);
int reserve_private_shrink(struct reservation *r, size_t pages);
void reserve_private_drop(struct reservation *r);

#endif
