/* SPDX-License-Identifier: MIT */
/*
 * tidy.c - the slow half of tidy.h
 */
#include "allocator/tidy.h"

#include <errno.h>

#include "allocator/arena.h"
#include "allocator/unit.h"
#include "core/base/align.h"

#define TIDY_LEAST (16 * MIB)

struct tidy tidy_state = { .at = TIDY_LEAST };

static uint64_t next_mark(void)
{
	return __atomic_load_n(&tidy_state.cut, __ATOMIC_RELAXED) + TIDY_LEAST +
	       __atomic_load_n(&unit_totals()->in_use, __ATOMIC_RELAXED) / 4;
}

/* The mark is moved first: one thread does it, and a fork meanwhile leaves a mark that will do. */
void tidy(void)
{
	uint64_t was = __atomic_load_n(&tidy_state.at, __ATOMIC_RELAXED);
	const int saved = errno;

	if (__atomic_load_n(&tidy_state.cut, __ATOMIC_RELAXED) < was ||
	    !__atomic_compare_exchange_n(&tidy_state.at, &was, next_mark(), false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	arena_let_go();
	__atomic_store_n(&tidy_state.at, next_mark(), __ATOMIC_RELAXED);
	errno = saved;
}
