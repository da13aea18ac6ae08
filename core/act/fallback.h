/* SPDX-License-Identifier: MIT */
/*
 * fallback.h - somebody wants to know when something falls back
 *
 * A fallback is a request that came short for want of something, or pages that were huge and
 * are small now; stats.c says which. Noting one is an atomic add, from any thread and handler.
 */
#ifndef HRESV_CORE_ACT_FALLBACK_H
#define HRESV_CORE_ACT_FALLBACK_H

#include <stdint.h>

void fallback_note(void);
uint64_t fallback_count(void);

/* @tell is called at each, in any thread and handler; one for the process. */
void fallback_tell(void (*tell)(void));

#endif
