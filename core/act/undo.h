/* SPDX-License-Identifier: MIT */
/*
 * undo.h - take memory of ours away: forget it, split it, give it back
 */
#ifndef HRESV_CORE_ACT_UNDO_H
#define HRESV_CORE_ACT_UNDO_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "core/decide/request.h"

/*
 * The range as the kernel may now treat it, at base page granularity: huge
 * pages that lay across its ends are small. [lo, hi) is narrower than asked
 * where such a page could not be split.
 */
struct way {
	uintptr_t lo, hi;
	struct blob was;	/* the words that were taken back */
};

/**
 * undo_clear_way - prepare [lo, hi), on base page lines, for being unmapped or
 *                  mapped over
 *
 * Splits at both ends, takes back the words of everything inside and drops all
 * claims. The caller makes the kernel's call at once, then undo_done() or, when
 * the kernel refused and left everything as it was, undo_restore().
 *
 * The caller is a guest of the gate. Return: 0; -ENOMEM: no memory to split or
 * to remember; all is mapped as before, but what was to go of a page that is split
 * already has lost its content.
 */
int undo_clear_way(uintptr_t lo, uintptr_t hi, enum reason why, struct way *ret_way);
void undo_done(struct way *w);
void undo_restore(struct way *w);
/* For a call that may have unmapped the range before it was refused: looks which it is. */
void undo_refused(struct way *w);

/* munmap(2) of [lo, hi) as above; @bytes is what the program said. */
long undo_unmap(uintptr_t lo, uintptr_t hi, size_t bytes);

#endif
