/* SPDX-License-Identifier: MIT */
/* carry.h - the content of a page that is replaced, and what forbids to replace it */
#ifndef HRESV_CORE_ACT_CARRY_H
#define HRESV_CORE_ACT_CARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/pagemap.h"

/*
 * Copies what lies in a page of this word. Where the calling thread may not read it, by
 * its protection or for want of a key, /proc/self/mem does, without opening it to other
 * threads. 0, or -errno.
 */
int carry(uintptr_t to, uintptr_t from, size_t bytes, page_word word);

/* The same, and small pages of @to for what is zero are not touched. */
int carry_sparsely(uintptr_t to, uintptr_t from, size_t bytes, page_word word);

/*
 * The kernel holds pages of this process for I/O (io_uring's registered buffers, RDMA),
 * which would go on to the old page: nothing may be moved away. VmPin of /proc/self/status
 * is the process', so one such page stops all. True also when nobody can say.
 */
bool carry_has_pins(void);
/* Had it the last time anybody looked? */
bool carry_met_pins(void);

/*
 * The same for a fork, which must make its pages small or share them: where nothing can be
 * asked any more (narrow.h), what was so when carry_remember() was called.
 */
bool carry_has_pins_at_fork(void);
void carry_remember(void);

#endif
