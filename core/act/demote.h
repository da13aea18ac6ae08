/* SPDX-License-Identifier: MIT */
/*
 * demote.h - a huge page becomes small pages with the same content, in place
 */
#ifndef HRESV_CORE_ACT_DEMOTE_H
#define HRESV_CORE_ACT_DEMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/pagemap.h"
#include "core/decide/request.h"

/**
 * demote_page - replaces the huge page at @at by small pages, atomically for
 *               every other thread, with no write lost
 * @word: the page's word; the caller holds the claim on all its granules and
 *        sets the new word afterwards
 * @keep_lo, @keep_hi: the part whose content matters; the rest will be unmapped
 *        or zeroed by the caller and is not copied
 *
 * The small pages are populated before anybody is held up; writers wait for one
 * copy (some 100 us for 2 MiB).
 *
 * Return: 0; -ENOMEM: no small pages; -EBUSY: this page can't be demoted: it may
 * be mapped by another process (a segment; shared memory after a fork), the
 * kernel holds it for I/O (VmPin), or writers can't be held here.
 */
int demote_page(uintptr_t at, page_word word, uintptr_t keep_lo, uintptr_t keep_hi);

/**
 * demote_page_sparsely - the same for all of it; what is zero is not there afterwards
 *
 * As if the program had never touched it: so its next touch is a fault that can be
 * answered by the program's own userfaultfd.
 */
int demote_page_sparsely(uintptr_t at, page_word word);

/**
 * demote_shared_page - the same for a private page, ours or guarded, that a
 *                      fork made two processes share
 * @alone: nobody else can write to it: a single thread, or a fresh child
 *
 * The page is copied if it was ever written, and zero if not. I/O never holds a
 * page that two processes share (the kernel copies pinned pages at the fork), so
 * pins are not looked at. Sets the new word and counts @why.
 * Return: 0; -ENOMEM: no memory; -ENOSPC: no mapping left; -EBUSY: writers can't be held.
 */
int demote_shared_page(uintptr_t at, page_word word, enum reason why, bool alone);

/*
 * The same by who holds no claim, of a page that may have changed since @word was read.
 * Where the kernel has no mapping left for a part of a mapping, all huge memory round
 * the page that is like it goes at once, which takes none (slack.h).
 */
int demote_shared_at(uintptr_t at, page_word word, enum reason why, bool alone);

/*
 * The two steps of that, for who may not wait for claims: what lies round the huge page at
 * @at (hi is 0 where there is none now); and all of [lo, hi) small, claimed. -ESTALE: it is not of one kind any more.
 */
struct claim demote_run_at(uintptr_t at);
int demote_run(uintptr_t lo, uintptr_t hi, enum reason why, bool alone);

/* A child now shares what is MAP_SHARED: from now on those pages stay huge. */
void demote_shared_no_more(void);
/* No other process can map shared memory of ours yet. */
bool demote_shared_is_ours(void);

#endif
