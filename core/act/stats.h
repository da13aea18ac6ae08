/* SPDX-License-Identifier: MIT */
/*
 * stats.h - what was asked, what became huge, what did not, and why
 *
 * Counters only: adding is one relaxed atomic, from any thread and any handler.
 */
#ifndef HRESV_CORE_ACT_STATS_H
#define HRESV_CORE_ACT_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "core/decide/request.h"
#include "core/facts/pagesize.h"

/* Bytes, all of them, since the process started; "now" falls again. */
struct stats_use {
	uint64_t requests;
	uint64_t asked;
	uint64_t huge;
	uint64_t small[REASON_N];	/* by reason */
};

struct stats {
	struct stats_use use[USE_N];
	uint64_t guarded_requests;	/* the program's own huge requests */
	uint64_t guarded_refused;	/* of them, answered ENOMEM or with small pages */
	uint64_t guarded_bytes;		/* of them, proven */
	uint64_t guarded_why[REASON_N];	/* refused bytes by reason */
	uint64_t huge_now;		/* bytes of huge pages, as HUGETLB_LIMIT counts them */
	uint64_t huge_peak;
	uint64_t demoted;		/* pages */
	uint64_t promoted;		/* pages */
	uint64_t rescued;		/* pages */
	uint64_t given_back;		/* pages returned to the pool by unmapping */
};

/* The live counters; read them with __atomic loads. */
const struct stats *stats_get(void);

void stats_request(enum use use, size_t asked);
void stats_huge(enum use use, size_t bytes);
void stats_small(enum use use, size_t bytes, enum reason why);
void stats_guarded(size_t bytes, enum reason why);	/* REASON_NONE: proven */

/* Huge bytes held now: the number HUGETLB_LIMIT bounds. */
void stats_hold(size_t bytes);
void stats_release(size_t bytes);
uint64_t stats_held(void);

void stats_demoted(size_t pages);
void stats_promoted(size_t pages);
void stats_rescued(size_t pages);

/*
 * Fallbacks: requests that came short for want of something, and pages that were huge and are
 * small now. @tell is called at each, in any thread and handler; one for the process.
 */
uint64_t stats_fallbacks(void);
void stats_on_fallback(void (*tell)(void));

/* HUGETLB_VERBOSE=3: one line for a decision. */
void stats_tell(const char *call, size_t asked, size_t huge, enum reason why, const char *where);

/* HUGETLB_VERBOSE=2: the table, to standard error. Says nothing if nothing was asked. */
void stats_print_table(size_t page_bytes);

#endif
