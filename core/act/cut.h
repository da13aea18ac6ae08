/* SPDX-License-Identifier: MIT */
/*
 * cut.h - make a line between base pages one that the kernel accepts
 */
#ifndef HRESV_CORE_ACT_CUT_H
#define HRESV_CORE_ACT_CUT_H

#include <stdint.h>

#include "core/decide/request.h"

/**
 * cut_at - if a huge page of ours lies across @line, demote it
 * @dead_lo, @dead_hi: what need not be copied, as the caller will unmap it;
 *                     equal: all content counts
 *
 * The page's granules become PAGE_SPLIT: small pages are the kernel's own business,
 * but mremap() has to put them together.
 * The caller holds the claim on them.
 * Return: 0; -EBUSY: the page can't be split (demote.h); -ENOMEM.
 */
int cut_at(uintptr_t line, uintptr_t dead_lo, uintptr_t dead_hi, enum reason why);

/* Demotes every huge page of ours that touches [lo, hi), claimed: as cut_at. */
int cut_all(uintptr_t lo, uintptr_t hi, enum reason why);

/* The same, and small pages that are zero are absent, as if never touched. */
int cut_sparsely(uintptr_t lo, uintptr_t hi, enum reason why);

/* The huge page of ours across @line, 0 when there is none. */
uintptr_t cut_page_across(uintptr_t line);

/* Would the kernel refuse to split a page of the program's own at one of these lines? */
int cut_splits_guarded(uintptr_t lo, uintptr_t hi);

/*
 * Small memory and reserved address space of ours in [lo, hi) that the program
 * treats in a way we don't follow: no longer ours. Claimed by the caller.
 */
void cut_forget_small(uintptr_t lo, uintptr_t hi);

#endif
