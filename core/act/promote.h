/* SPDX-License-Identifier: MIT */
/*
 * promote.h - small memory of ours that was touched becomes huge later
 *
 * No thread of ours does it: promotion rides on the program's next large
 * calls, a few pages at a time and never longer than PROMOTE_BUDGET_NS.
 */
#ifndef HRESV_CORE_ACT_PROMOTE_H
#define HRESV_CORE_ACT_PROMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/act/backing.h"

#define PROMOTE_BUDGET_NS 2000000u

/* [lo, hi) was published as PAGE_SMALL: worth a look later. */
void promote_note(uintptr_t lo, uintptr_t hi);
/* The same where nobody may wait: lost when the list is in use. */
void promote_hint(uintptr_t lo, uintptr_t hi);

/* Is there anything to look at, and did we not come up short a moment ago? */
bool promote_is_due(void);

/**
 * promote_some - promote touched candidates, at most @pages of them
 * @how: the huge page to use; prot is each candidate's own
 *
 * Writers to a page wait for one copy; where they can't be held, or I/O pins
 * memory, nothing is promoted. The caller is a guest of the gate and holds no
 * claim. Returns the pages promoted.
 */
uint64_t promote_some(const struct backing *how, uint64_t pages);

/*
 * The granules of small memory of ours in [lo, hi) that can be, at most @pages, touched or not: the
 * program asked. The caller as above. 0: each was tried; -ENOMEM: there was a page too few;
 * -EBUSY: nothing can be promoted here and now.
 */
int promote_range(const struct backing *how, uintptr_t lo, uintptr_t hi, uint64_t pages);

/* There is nothing to promote with: not due again for a moment. */
void promote_rest(void);

/* In a fork child. */
void promote_renew(void);
/* fork: nobody is half way through a change. */
void promote_freeze(void);
void promote_thaw(void);

#endif
