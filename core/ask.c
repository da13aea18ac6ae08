/* SPDX-License-Identifier: MIT */
/* ask.c - bind, plan, place, publish, tell */
#include "core/ask.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/act/pagemap.h"
#include "core/act/promote.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/facts/maps.h"
#include "core/fork.h"
#include "core/plan.h"
#include "core/reserve.h"
#include "core/settle.h"

#define RW (PROT_READ | PROT_WRITE)

/* More than the machine's memory can't be huge, but may be asked for. */
static size_t eager_bytes(const struct ask *a)
{
	const size_t most = conf_get()->eager_max;

	return a->strict || a->bytes < most ? a->bytes : most;
}

static size_t smallest_page(void)
{
	const struct pagesizes *sizes = plan_sizes();

	for (size_t i = 0; i < sizes->n; i++)
		if (sizes->bytes[i] >= GRANULE)
			return sizes->bytes[i];
	return GRANULE;
}

/* What of it could be huge at all. */
static size_t whole_pages(const struct ask *a)
{
	return align_down(a->bytes, a->page_bytes < smallest_page() ? smallest_page() : a->page_bytes);
}

static int place(const struct ask *a, const struct request *rq, struct plan *plan, struct placed *p)
{
	const struct conf *conf = conf_get();
	const struct backing like = { .prot = RW, .turn_held = conf->keep_free != 0,
				      .may_breathe = conf->keep_free == 0 };
	struct turn t = { .fd = -1 };
	int err = -ENOMEM;

	if (conf->keep_free)
		t = turn_take(TURN_ALONE, a->page_bytes);
	plan_make_sized(a->page_bytes, false, &like, a->bytes, eager_bytes(a), plan);
	if (plan->n)
		err = place_range(rq, plan->rungs, plan->n, p);
	turn_drop(&t);
	if (err)
		return err;
	stats_hold(p->huge_bytes);
	return 0;
}

static void unbuild(const struct placed *p)
{
	sys_munmap(p->at, p->bytes);
	stats_release(p->huge_bytes);
}

static enum reason reason_for_rest(const struct ask *a, const struct plan *plan,
				   const struct placed *p)
{
	if (p->bytes - p->huge_bytes < GRANULE)
		return REASON_ALIGNMENT;
	if (plan->n == 0 || plan->binds == REASON_NOT_YET || plan->binds == REASON_BUDGET)
		return plan->binds;
	return reserve_blame(a->page_bytes, (p->bytes - p->huge_bytes) / a->page_bytes, &a->nodes);
}

static void account(const struct placed *p, enum reason why)
{
	stats_request(USE_MMAP, p->bytes);
	stats_huge(USE_MMAP, p->huge_bytes);
	if (p->bytes > p->huge_bytes)
		stats_small(USE_MMAP, p->bytes - p->huge_bytes, why);
	stats_tell("hresv_alloc", p->bytes, p->huge_bytes,
		   p->bytes > p->huge_bytes ? why : REASON_NONE, NULL);
}

/* The huge part, and small pages behind; or small pages alone. */
static int build(const struct ask *a, const struct request *rq, struct plan *plan, struct placed *p)
{
	int err = place(a, rq, plan, p);

	if (!err && a->strict && p->huge_bytes < whole_pages(a)) {
		unbuild(p);
		err = -ENOMEM;
	}
	if (err && !a->strict)
		err = place_small(rq, GRANULE, p);
	if (err)
		return err;
	err = node_bind(&a->nodes, p->at, p->bytes);
	if (err)
		unbuild(p);
	return err;
}

static int settle(const struct request *rq, const struct placed *p)
{
	int err = settle_publish(rq, p);

	if (err && p->huge_bytes)
		return err;
	settle_advise(p);
	return 0;
}

/* Called as a guest of the gate. */
static long memory(const struct ask *a, size_t *ret_huge_bytes)
{
	const struct request rq = { .use = USE_MMAP, .bytes = a->bytes, .prot = RW,
				    .flags = MAP_PRIVATE | MAP_ANONYMOUS, .fd = -1 };
	struct placed p = { .bytes = align_up(a->bytes, mem_page_bytes()) };
	struct node_policy was;
	struct plan plan = { 0 };
	enum reason why;
	int err = node_enter(&a->nodes, &was);

	if (err)
		return err;
	fork_review();
	err = build(a, &rq, &plan, &p);
	node_leave(&was);
	if (!err) {
		err = settle(&rq, &p);
		if (err)
			unbuild(&p);
	}
	if (err && !a->strict)
		return err;
	if (err) {
		p = (struct placed){ .bytes = align_up(a->bytes, mem_page_bytes()) };
		why = reason_for_rest(a, &plan, &p);
		account(&p, why);
		return err == -ENOMEM ? RESERVE_SHORT(why) : err;
	}
	account(&p, reason_for_rest(a, &plan, &p));
	*ret_huge_bytes = p.huge_bytes;
	return (long)p.at;
}

static long memory_without_us(const struct ask *a, size_t *ret_huge_bytes)
{
	long at;

	if (a->strict)
		return RESERVE_SHORT(REASON_FILTERED);
	at = sys_mmap(0, a->bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!sys_failed(at))
		*ret_huge_bytes = 0;
	return at;
}

long ask_memory(const struct ask *a, size_t *ret_huge_bytes)
{
	const struct conf *conf = conf_get();
	struct quiet q;
	long at;

	if (!conf || !conf->active)
		return memory_without_us(a, ret_huge_bytes);
	gate_enter(&q);
	at = memory(a, ret_huge_bytes);
	gate_leave(&q);
	return at;
}

static bool word_is_huge(page_word word)
{
	return word_is_huge_ours(word) || word_kind(word) == PAGE_GUARDED;
}

size_t ask_huge_bytes(uintptr_t at, size_t bytes)
{
	const uintptr_t end = at + bytes;
	size_t huge = 0;

	if (end < at)
		return 0;
	for (uintptr_t hi; at < end; at = hi) {
		page_word word;

		hi = pagemap_run(at, end, &word);
		if (word_is_huge(word))
			huge += hi - at;
	}
	return huge;
}

/* How many granules in [lo, hi) could become huge. */
static size_t left_small(uintptr_t lo, uintptr_t hi)
{
	size_t left = 0;

	for (uintptr_t at = lo; at < hi; at += GRANULE)
		left += word_kind(pagemap_get(at)) == PAGE_SMALL;
	return left;
}

/*
 * Memory that was moved or split is small and in no list any more: what still is plain
 * memory, whole granules of one mapping, is taken for what it was.
 */
static void adopt(uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t at = lo; at < hi; at += GRANULE) {
		page_word word = pagemap_get(at);
		struct map_facts facts;
		struct claim c;

		if ((word_kind(word) != PAGE_FOREIGN && word_kind(word) != PAGE_SPLIT) ||
		    maps_read_range("", at, at + GRANULE, &facts) != 0 || facts.prot != RW ||
		    facts.shared || facts.huge || !facts.anonymous ||
		    pagemap_prepare(at, at + GRANULE) != 0)
			continue;
		c = pagemap_claim(at, at + GRANULE);
		word = pagemap_get(at) & ~WORD_MARKS;
		if ((word_kind(word) == PAGE_FOREIGN || word_kind(word) == PAGE_SPLIT) &&
		    !word_dressed(word))
			pagemap_set(at, at + GRANULE,
				    word_make(PAGE_SMALL, RW, mem_page_bytes(), USE_MMAP));
		pagemap_unclaim(&c);
	}
}

int ask_again(uintptr_t at, size_t bytes)
{
	const uintptr_t lo = align_up(at, GRANULE), hi = align_down(at + bytes, GRANULE);
	const struct conf *conf = conf_get();
	struct backing like = { .prot = RW };
	const struct node_want any = { 0 };
	struct turn t = { .fd = -1 };
	struct plan plan;
	struct quiet q;
	size_t left;
	int err = 0;

	if (!conf || !conf->active)
		return RESERVE_SHORT(REASON_FILTERED);
	if (lo >= hi)
		return 0;
	gate_enter(&q);
	adopt(lo, hi);
	if (!left_small(lo, hi)) {
		gate_leave(&q);
		return 0;
	}
	like.turn_held = conf->keep_free != 0;
	if (like.turn_held)
		t = turn_take(TURN_ALONE, GRANULE);
	plan_make_sized(GRANULE, true, &like, hi - lo, hi - lo, &plan);
	if (plan.n)
		err = promote_range(&plan.rungs[0].how, lo, hi, plan.rungs[0].most_pages);
	turn_drop(&t);
	left = left_small(lo, hi);
	if (left && (plan.n == 0 || err == -ENOMEM))
		err = RESERVE_SHORT(plan.n ? reserve_blame(GRANULE, left, &any) : plan.binds);
	else
		err = left ? -EBUSY : 0;
	gate_leave(&q);
	return err;
}
