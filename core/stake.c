/* SPDX-License-Identifier: MIT */
/* stake.c - a walk over the page map, once to count and once to act */
#include "core/stake.h"

#include "core/act/aside.h"
#include "core/act/carry.h"
#include "core/act/demote.h"
#include "core/act/pagemap.h"
#include "core/act/turn.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/stack.h"
#include "core/plan.h"

#define OWN_BYTES 32768
#define TRIES 4		/* others may take the pages that were freed */
#define FORK_PATIENCE_NS 20000000u	/* the whole program stands still */

static void add_run(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	struct stake *s = arg;
	size_t i = 0;

	if (!word_is_copied_on_write(word))
		return;
	while (i < s->n && s->of[i].page_bytes != word_page_bytes(word))
		i++;
	if (i == STAKE_SIZES)
		return;
	if (i == s->n) {
		s->of[s->n++].page_bytes = word_page_bytes(word);
		s->of[i].pages = 0;
	}
	s->of[i].pages += (hi - lo) / word_page_bytes(word);
	s->bytes += hi - lo;
}

struct stake stake_now(void)
{
	struct stake s = { 0 };

	pagemap_walk(add_run, &s);
	return s;
}

bool stake_promise(const struct stake *s, struct promise *ret)
{
	bool enough = !aside_holds_turn();

	for (size_t i = 0; i < s->n && enough; i++) {
		struct turn t = turn_take_within(TURN_ALONE, s->of[i].page_bytes,
						 FORK_PATIENCE_NS);
		uint64_t spare = plan_spare(s->of[i].page_bytes);

		enough = promise_add(ret, s->of[i].page_bytes, s->of[i].pages, spare);
		turn_drop(&t);
	}
	if (!enough)
		promise_end(ret);
	return enough;
}

/* So many pages of this size, or of any (0). */
struct making {
	size_t page_bytes;
	uint64_t pages;
	bool alone;
};

static void make_run_small(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	struct making *m = arg;
	const size_t page = word_page_bytes(word);

	if (!word_is_copied_on_write(word) || (m->page_bytes && m->page_bytes != page))
		return;
	for (uintptr_t at = lo; at < hi && m->pages; at += page, m->pages--)
		demote_shared_at(at, word, REASON_FORK, m->alone);
}

/*
 * The kernel holds some pages for I/O, and says not which: those it copies for the
 * child at once, they are never shared, and the others are left to the net.
 */
void stake_make_small(bool alone)
{
	struct making all = { .pages = UINT64_MAX, .alone = alone };

	if (!carry_has_pins_at_fork())
		pagemap_walk(make_run_small, &all);
}

/* What a thread writes to whatever it does: round its stack pointer, and its variables. */
struct own {
	uintptr_t at[4];
	void (*run)(void);
};

static page_word own_word(const struct own *own, size_t i)
{
	page_word word = pagemap_get(own->at[i]) & ~WORD_MARKS;

	return word_is_private_huge(word) ? word : 0;
}

static void run_beside(void *arg)
{
	const struct own *own = arg;
	const bool alone = writers_are_one();

	if (!carry_has_pins_at_fork())
		for (size_t i = 0; i < sizeof(own->at) / sizeof(own->at[0]); i++)
			if (own_word(own, i))
				demote_shared_at(align_down(own->at[i],
							    word_page_bytes(own_word(own, i))),
						 own_word(own, i), REASON_FORK, alone);
	own->run();
}

void stake_run_beside(void (*run)(void))
{
	static __thread char of_this_thread __attribute__((tls_model("initial-exec")));
	char here;
	const uintptr_t sp = (uintptr_t)&here;
	struct own own = { { sp - OWN_BYTES, sp, sp + OWN_BYTES, (uintptr_t)&of_this_thread }, run };

	if ((own_word(&own, 0) | own_word(&own, 1) | own_word(&own, 2) | own_word(&own, 3)) &&
	    stack_run(run_beside, &own) == 0)
		return;
	run();
}

static void make_half_of_shortage_small(const struct stake *s, bool alone)
{
	for (size_t i = 0; i < s->n; i++) {
		uint64_t spare = plan_spare(s->of[i].page_bytes), pages = s->of[i].pages;
		struct making m = {
			.page_bytes = s->of[i].page_bytes,
			.pages = (pages - (spare < pages ? spare : pages) + 1) / 2,
			.alone = alone,
		};

		/* Promises and limits bind, not the pool. */
		if (!m.pages)
			m.pages = (pages + 1) / 2;
		pagemap_walk(make_run_small, &m);
	}
}

bool stake_share_rest(bool alone, struct promise *ret)
{
	struct stake s;

	for (int n = 0; n < TRIES && !carry_has_pins_at_fork(); n++) {
		s = stake_now();
		if (!s.bytes)
			return false;
		make_half_of_shortage_small(&s, alone);
		s = stake_now();
		if (s.bytes && stake_promise(&s, ret))
			return true;
	}
	stake_make_small(alone);
	return false;
}
