/* SPDX-License-Identifier: MIT */
/*
 * move.h - memory of both kinds from one place to another
 */
#ifndef HRESV_CORE_ACT_MOVE_H
#define HRESV_CORE_ACT_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts/maps.h"

/**
 * move_range - [at, at + bytes) to @to, page tables and page map
 * @alike: both places lie alike on huge page lines; else all of it is demoted
 * @leave: not NULL: untouched memory of this kind stays at the old place
 *
 * The new place is the caller's: free, or reserved by it. Splits at both ends
 * of the old range. Claims by itself. Return: 0; -ENOMEM, and then everything
 * that had moved is back.
 */
long move_range(uintptr_t at, size_t bytes, uintptr_t to, bool alike,
		const struct map_facts *leave);

/*
 * The same of memory of which the kernel alone knows how it was advised: it grows by
 * @more on the way, so that nobody can come between. [to, to + bytes + more) is ours.
 */
long move_growing(uintptr_t at, size_t bytes, size_t more, uintptr_t to, bool alike);

#endif
