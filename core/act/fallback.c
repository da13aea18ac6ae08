/* SPDX-License-Identifier: MIT */
/* fallback.c - a counter and a hook */
#include "core/act/fallback.h"

#include <stddef.h>

static struct {
	uint64_t n;		/* both atomic */
	void (*tell)(void);
} fallback;

void fallback_note(void)
{
	void (*tell)(void) = __atomic_load_n(&fallback.tell, __ATOMIC_ACQUIRE);

	__atomic_fetch_add(&fallback.n, 1, __ATOMIC_RELAXED);
	if (tell)
		tell();
}

uint64_t fallback_count(void)
{
	return __atomic_load_n(&fallback.n, __ATOMIC_RELAXED);
}

void fallback_tell(void (*tell)(void))
{
	__atomic_store_n(&fallback.tell, tell, __ATOMIC_RELEASE);
}
