/* SPDX-License-Identifier: MIT */
/*
 * plan.h - which page sizes, and how many of each, a request shall try
 *
 * Reads the facts and asks decide/. A plan is a hint: it keeps us from asking
 * for what can't be had and names what binds. Proof is act/'s business.
 */
#ifndef HRESV_CORE_PLAN_H
#define HRESV_CORE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/act/place.h"
#include "core/decide/budget.h"
#include "core/decide/request.h"
#include "core/facts/pagesize.h"

struct plan {
	size_t n;			/* rungs, sizes falling */
	struct rung rungs[PLACE_RUNGS];
	enum reason binds;		/* why it is no more than this */
	bool turn_needed;		/* HUGETLB_KEEP_FREE: plan again with the turn held */
};

/* The sizes of this machine, read once; n = 0 when there are none. */
const struct pagesizes *plan_sizes(void);

/* The huge page size @use gets: its own variable, the common one, the kernel's default; 0: none. */
size_t plan_page_bytes(enum use use);

/**
 * plan_make - the ladder for @bytes of memory like @like (prot, flags, shared)
 * @eager_bytes: at most so much is tried; the rest is REASON_NOT_YET
 *
 * n = 0: there is nothing to try, and binds says why.
 */
void plan_make(enum use use, const struct backing *like, size_t bytes, size_t eager_bytes,
	       struct plan *ret_plan);

/*
 * The same for @wanted pages, whatever use they are for; @only: no smaller ones below.
 */
void plan_make_sized(size_t wanted, bool only, const struct backing *like, size_t bytes,
		     size_t eager_bytes, struct plan *ret_plan);

/* Is @page_bytes a huge page size of this machine that we can place? */
bool plan_has_size(size_t page_bytes);

/* May shared memory of this size be left reserved and untouched? */
bool plan_reservation_proves(size_t page_bytes);

/*
 * Why the kernel gave less than the plan allowed: the facts again, now. Costs
 * some file reads, so the answer is kept for a tenth of a second.
 */
enum reason plan_blame(size_t page_bytes, const char *path);

/*
 * The bytes that HUGETLB_LIMIT counts. Where @more would be too many, segments that
 * other processes have removed meanwhile are taken off first.
 */
uint64_t plan_taken(uint64_t more);

/* How many pages @page_bytes this process could take, with the pool and every limit read now. */
struct budget plan_budget(size_t page_bytes, const char *path);

/*
 * Pages of the pool that are free and reserved by nobody: what may be promised to
 * a child, within the limits above us (promise.h). 0 where that can't be known.
 */
uint64_t plan_spare(size_t page_bytes);

/* fork: nobody is half way through a change; in the child, nobody holds the lock. */
void plan_freeze(void);
void plan_thaw(void);
void plan_renew(void);

/* Huge pages would be charged to a memory limit above us (R11): take none. */
bool plan_charged_to_memory(void);

/*
 * The kernel merges neighbouring small mappings, huge ones never: a program with
 * very many blocks could run out of mappings (vm.max_map_count) because of us.
 * True while more than half of them are used; counted once in a while.
 */
bool plan_mappings_short(void);

/*
 * RLIMIT_AS or RLIMIT_DATA leaves so little that what is built aside and moved, up to twice
 * the memory for a moment, and what a heap of huge pages lays out beforehand, 100 MiB of
 * addresses and 20 of data, would be missed by the program.
 */
bool plan_has_little_room(void);

/* The configured hugetlbfs directory for @page_bytes, NULL: none, use MAP_HUGETLB. */
const char *plan_path(size_t page_bytes);

#endif
