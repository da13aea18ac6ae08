/* SPDX-License-Identifier: MIT */
/*
 * demote_run.c - one page small, or all that lies round it
 *
 * The kernel replaces a whole mapping by another without taking one more, where a page out
 * of its middle takes two. So that is what is left when there are none (slack.h).
 */
#include <errno.h>

#include "core/act/demote.h"
#include "core/base/align.h"

#define OWN_BYTES 32768		/* of a stack and of what a thread has, round the part in use */

/* Writers are held on all of it: the caller writes to its stack, and to what the thread has. */
static void leave_out(struct claim *run, uintptr_t at, uintptr_t own)
{
	const size_t page = word_page_bytes(pagemap_get(at));
	const uintptr_t lo = align_down(own - OWN_BYTES, page), hi = align_up(own + OWN_BYTES, page);

	if (hi <= at && hi > run->lo)
		run->lo = hi;
	else if (lo > at && lo < run->hi)
		run->hi = lo;
}

struct claim demote_run_at(uintptr_t at)
{
	static __thread char of_this_thread __attribute__((tls_model("initial-exec")));
	page_word word = pagemap_get(at) & ~WORD_MARKS, below;
	const size_t page = word_page_bytes(word);
	struct claim run = { .lo = align_down(at, page) };
	char here;

	if (!word_is_private_huge(word))
		return (struct claim){ 0 };
	run.hi = pagemap_run(run.lo, UINTPTR_MAX, &word);
	for (; run.lo >= page; run.lo -= page) {
		below = pagemap_get(run.lo - page) & ~WORD_MARKS;
		if (below != word)
			break;
	}
	leave_out(&run, align_down(at, page), (uintptr_t)&here);
	leave_out(&run, align_down(at, page), (uintptr_t)&of_this_thread);
	return run;
}

int demote_shared_at(uintptr_t at, page_word word, enum reason why, bool alone)
{
	struct claim c = pagemap_claim(at, at + 1);
	int err = 0;

	if ((pagemap_get(at) & ~WORD_MARKS) == word)
		err = demote_shared_page(at, word, why, alone);
	pagemap_unclaim(&c);
	for (int tries = 0; (err == -ENOSPC && !tries) || err == -ESTALE; tries++) {
		const struct claim run = demote_run_at(at);

		err = 0;
		if (!run.hi)
			break;
		c = pagemap_claim(run.lo, run.hi);
		if ((pagemap_get(at) & ~WORD_MARKS) == word)
			err = demote_run(run.lo, run.hi, why, alone);
		pagemap_unclaim(&c);
	}
	return err;
}
