/* SPDX-License-Identifier: MIT */
/*
 * crew.h - threads of ours that make pages present beside the one that needs them
 *
 * The kernel clears a huge page in the time of the thread that touches it, on one processor. While
 * others have nothing to do they clear pages too. Helpers live for one call of crew_advise() and
 * are gone, for the kernel too, when it returns; they hold no lock and no claim, ask for nothing,
 * and the caller gets its pages whether they come, stop or are never had.
 */
#ifndef HRESV_CORE_ACT_CREW_H
#define HRESV_CORE_ACT_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CREW_MOST 15

struct crew {
	unsigned helpers;	/* 0: the caller does it alone */
	bool bound;		/* helpers run on @node and on no other */
	unsigned node;
};

/**
 * crew_look - how many helpers [at, at + bytes) is worth, of those that could be had now
 *
 * As many processors as this thread may use that have nothing to run, and no more than the groups
 * above us have time for. None where a system call filter is set, which may kill for a call that
 * the program does not make, and none beside a real-time thread. With several nodes, those whose processors
 * lie where the pages shall.
 */
void crew_look(uintptr_t at, size_t bytes, size_t page_bytes, struct crew *ret_crew);

/**
 * crew_advise - madvise(@advice, one that populates) of [at, at + bytes), by all of the crew
 *
 * Returns how many bytes are done, from the start on, all of them if it could be done. Less is no
 * verdict: the caller goes on alone from there, and hears from the kernel why. Pages
 * behind may be present already.
 */
size_t crew_advise(const struct crew *crew, uintptr_t at, size_t bytes, size_t page_bytes,
		   int advice);

#endif
