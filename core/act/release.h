/* SPDX-License-Identifier: MIT */
/*
 * release.h - content that is given up: zero from now on, pages to the pool
 */
#ifndef HRESV_CORE_ACT_RELEASE_H
#define HRESV_CORE_ACT_RELEASE_H

#include <stdint.h>

#include "core/act/pagemap.h"

/**
 * release_private - [lo, hi), huge private pages of one word, reads zero
 *
 * Whole pages become untouched small pages in one step and return to the pool
 * at once: a later touch gets a small page, never luck (KERNEL.md R5). Of a page
 * that is only touched in part, the part is zeroed in place; when nothing but
 * zeros is left, it goes too. Where no small pages can be had, whole ones are
 * zeroed in place too. Sets the words. The caller holds the claim.
 * Return: 0; -ENOMEM.
 */
int release_private(uintptr_t lo, uintptr_t hi, page_word word);

/**
 * release_shared - the same for shared memory, whose pages others may map
 *
 * The bytes become zero for everybody; the pages stay with the mapping, for a
 * hole in it would be filled again without a reservation.
 * Return: 0, or the kernel's -errno.
 */
long release_shared(uintptr_t lo, uintptr_t hi, page_word word);

#endif
