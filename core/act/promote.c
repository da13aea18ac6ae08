/* SPDX-License-Identifier: MIT */
/*
 * promote.c - the list of candidates, and the swap of one granule
 *
 * Pitfalls.
 * 1. Write-protection skips places that have no page yet, so a first write to
 *    one would go unseen: all of the granule is made present for reading first
 *    (zero pages cost nothing).
 * 2. A program can change memory behind our back by raw system calls. What is
 *    promoted is therefore looked up in /proc/self/maps first: private,
 *    anonymous, of the protection its word says.
 * 3. A kernel that does not move huge mappings would unmap what lies there and refuse
 *    then (place_moves).
 * 4. The list holds hints. What they point to is checked by its word, claimed.
 * 5. A program that maps and unmaps for ever, and never gets a page, must not make
 *    the list grow for ever: it has an end, and what is gone makes room.
 */
#include "core/act/promote.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/act/carry.h"
#include "core/act/demote.h"
#include "core/act/inflight.h"
#include "core/act/pagemap.h"
#include "core/act/place.h"
#include "core/act/stats.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/probe.h"
#include "core/base/stack.h"
#include "core/base/sys.h"
#include "core/facts/maps.h"

#define REST_AFTER_SHORTAGE_NS 100000000u
#define LOOK_AGAIN_NS 1000000000u
#define ADVICE_POPULATE_READ 22
#define RANGES_MOST 1024

struct range {
	uintptr_t lo, hi;
};

static struct {
	struct lock lock;	/* guards what follows; memory is mapped under it */
	struct blob ranges;	/* struct range[], a stack */
	struct blob later;	/* the same: looked at, not touched yet */
	uint64_t later_at;	/* when to look again */
	uint64_t rest_until;
} list = { .lock = LOCK_INIT(LOCK_PROMOTE) };

/* Some of them are gone by now; if not enough are, the oldest are lost. */
static void make_room(struct blob *b)
{
	struct range *at = (struct range *)b->at;
	size_t n = b->bytes / sizeof(*at), kept = 0, lost;

	for (size_t i = 0; i < n; i++)
		if (word_kind(pagemap_get(at[i].lo)) == PAGE_SMALL)
			at[kept++] = at[i];
	lost = kept > RANGES_MOST / 2 ? kept - RANGES_MOST / 2 : 0;
	memmove(at, at + lost, (kept - lost) * sizeof(*at));
	blob_cut(b, (kept - lost) * sizeof(*at));
}

/* Under the lock. A hint lost is a page that stays small. */
static void add(struct blob *b, uintptr_t lo, uintptr_t hi)
{
	const struct range r = { lo, hi };
	struct range *last = b->bytes ? (struct range *)(b->at + b->bytes) - 1 : NULL;

	if (last && last->lo <= lo && hi <= last->hi)
		return;		/* mapped again where it was */
	if (last && last->hi == lo) {
		last->hi = hi;
		return;
	}
	if (b->bytes >= RANGES_MOST * sizeof(r))
		make_room(b);
	blob_add(b, &r, sizeof(r));
}

void promote_note(uintptr_t lo, uintptr_t hi)
{
	lock_take(&list.lock);
	add(&list.ranges, lo, hi);
	lock_drop(&list.lock);
}

void promote_hint(uintptr_t lo, uintptr_t hi)
{
	if (!lock_try(&list.lock))
		return;
	add(&list.ranges, lo, hi);
	lock_drop(&list.lock);
}

static void note_later(uintptr_t at)
{
	lock_take(&list.lock);
	add(&list.later, at, at + GRANULE);
	lock_drop(&list.lock);
}

bool promote_is_due(void)
{
	if (!__atomic_load_n(&list.ranges.bytes, __ATOMIC_RELAXED) &&
	    !__atomic_load_n(&list.later.bytes, __ATOMIC_RELAXED))
		return false;
	return sys_now_ns() >= __atomic_load_n(&list.rest_until, __ATOMIC_RELAXED);
}

/* Nothing new to look at: the second look at what was not touched the first time. */
static void look_again(void)
{
	struct blob empty = list.ranges;
	uint64_t now = sys_now_ns();

	if (list.ranges.bytes || !list.later.bytes || now < list.later_at)
		return;
	list.ranges = list.later;
	list.later = empty;
	list.later_at = now + LOOK_AGAIN_NS;
}

/* Takes the next granule off the list; 0 when there is none. */
static uintptr_t next_candidate(void)
{
	uintptr_t at = 0;

	lock_take(&list.lock);
	look_again();
	while (!at && list.ranges.bytes) {
		struct range *top = (struct range *)(list.ranges.at + list.ranges.bytes) - 1;

		if (top->lo + GRANULE > top->hi) {
			list.ranges.bytes -= sizeof(*top);
			continue;
		}
		at = top->lo;
		top->lo += GRANULE;
	}
	lock_drop(&list.lock);
	return at;
}

/* Half of it at least: a granule hardly used would cost more memory than it gains. */
static bool is_touched(uintptr_t at)
{
	unsigned char vec[512];
	const size_t page = mem_page_bytes(), n = GRANULE / page;
	size_t present = 0;

	if (n > sizeof(vec) || sys_mincore(at, GRANULE, vec) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		present += vec[i] & 1;
	return present >= n / 2;
}

static bool is_as_remembered(uintptr_t at, page_word word)
{
	struct map_facts facts;

	return maps_read_range("", at, at + GRANULE, &facts) == 0 && facts.anonymous &&
	       !facts.shared && !facts.huge && facts.prot == word_prot(word);
}

struct swap {
	uintptr_t aside, at;
	int prot;
};

/* The huge page aside, with the content of the granule, in its place. The caller may run on it. */
static long swap(void *arg)
{
	const struct swap *s = arg;
	const uintptr_t aside = s->aside, at = s->at;
	struct writers w;

	if (sys_madvise(at, GRANULE, ADVICE_POPULATE_READ) != 0 ||
	    writers_hold(at, GRANULE, s->prot, &w) != 0)
		return -EBUSY;
	if (inflight_settle() != 0 || carry_has_pins()) {
		writers_give_up(&w);
		return -EBUSY;
	}
	memcpy((void *)aside, (const void *)at, GRANULE);
	if (sys_failed(sys_mremap(aside, GRANULE, GRANULE, MREMAP_MAYMOVE | MREMAP_FIXED, at))) {
		writers_give_up(&w);
		return -EBUSY;
	}
	writers_release(&w);
	return 0;
}

enum outcome { PROMOTED, LEFT, SHORT };

static enum outcome promote_one(const struct backing *how, uintptr_t at, page_word word, bool asked)
{
	struct backing mine = *how;
	struct swap s = { .at = at };
	size_t got;

	if (!asked && !is_touched(at)) {
		note_later(at);
		return LEFT;
	}
	if (!is_as_remembered(at, word))
		return LEFT;
	mine.prot = word_prot(word);
	if (backing_make(&mine, 1, 0, &s.aside, &got) != 0)
		return SHORT;
	s.prot = mine.prot;
	if (stack_clear_of(at, at + GRANULE, swap, &s) != 0) {
		sys_munmap(s.aside, GRANULE);
		return LEFT;
	}
	stats_hold(GRANULE);
	stats_huge(word_use(word), GRANULE);
	stats_promoted(1);
	PROBE2(promote, at, GRANULE);
	pagemap_set(at, at + GRANULE,
		    word_make(PAGE_PRIVATE, word_prot(word), GRANULE, word_use(word)));
	return PROMOTED;
}

static enum outcome try_candidate(const struct backing *how, uintptr_t at, bool asked)
{
	const int wanted = PROT_READ | PROT_WRITE;
	struct claim c = pagemap_claim(at, at + GRANULE);
	page_word word = pagemap_get(at) & ~WORD_MARKS;
	enum outcome got = LEFT;

	if (word_kind(word) == PAGE_SMALL && (word_prot(word) & wanted) == wanted)
		got = promote_one(how, at, word, asked);
	pagemap_unclaim(&c);
	return got;
}

void promote_rest(void)
{
	__atomic_store_n(&list.rest_until, sys_now_ns() + REST_AFTER_SHORTAGE_NS,
			 __ATOMIC_RELAXED);
}

uint64_t promote_some(const struct backing *how, uint64_t pages)
{
	const uint64_t until = sys_now_ns() + PROMOTE_BUDGET_NS;
	struct range retry = { 0 };
	uint64_t done = 0;
	uintptr_t at;

	if (how->page_bytes != GRANULE || place_moves(GRANULE) != PLACE_MOVES) {
		promote_rest();
		return 0;
	}
	if (carry_has_pins())
		return 0;
	while (done < pages && sys_now_ns() < until && (at = next_candidate()) != 0) {
		enum outcome got = try_candidate(how, at, false);

		if (got == PROMOTED)
			done++;
		if (got != SHORT)
			continue;
		retry = (struct range){ at, at + GRANULE };
		break;
	}
	if (retry.lo) {
		promote_note(retry.lo, retry.hi);
		promote_rest();
	}
	return done;
}

int promote_range(const struct backing *how, uintptr_t lo, uintptr_t hi, uint64_t pages)
{
	if (how->page_bytes != GRANULE || place_moves(GRANULE) != PLACE_MOVES || carry_has_pins())
		return -EBUSY;
	for (uintptr_t at = lo; at < hi; at += GRANULE) {
		enum outcome got;

		if (word_kind(pagemap_get(at)) != PAGE_SMALL)
			continue;
		if (pages == 0)
			return -ENOMEM;
		got = try_candidate(how, at, true);
		if (got == SHORT)
			return -ENOMEM;
		pages -= got == PROMOTED;
	}
	return 0;
}

void promote_freeze(void)
{
	lock_take(&list.lock);
}

void promote_thaw(void)
{
	lock_drop(&list.lock);
}

void promote_renew(void)
{
	lock_renew(&list.lock);
}
