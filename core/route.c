/* SPDX-License-Identifier: MIT */
/*
 * route.c - map: is it ours, what can be promised, place it, remember it, tell
 */
#include "core/route.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "core/act/pagemap.h"
#include "core/act/place.h"
#include "core/act/promote.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/narrow.h"
#include "core/base/sys.h"
#include "core/decide/eligible.h"
#include "core/commit.h"
#include "core/facts/conf.h"
#include "core/fork.h"
#include "core/guard.h"
#include "core/plan.h"
#include "core/settle.h"

/* Most that one call promotes; time ends it earlier. */
#define PROMOTE_MOST (16 * GRANULE)

bool route_concerns(uintptr_t at, size_t bytes)
{
	if (!bytes || at + bytes <= at)
		return false;
	if (at >> GRANULE_SHIFT == (at + bytes - 1) >> GRANULE_SHIFT)
		return pagemap_get(at) & WORD_KIND_MASK;
	return pagemap_any(at, at + bytes);
}

static long as_asked(const struct request *rq)
{
	return sys_mmap(rq->at, rq->bytes, rq->prot, rq->flags, rq->fd, rq->offset);
}

/* More than the machine has is address space, not memory: it starts small. None has less than this. */
#define MACHINE_LEAST (16 * GRANULE)

static bool beyond_machine(size_t bytes)
{
	struct sysinfo info;

	return bytes > MACHINE_LEAST && sys_sysinfo(&info) == 0 && bytes > (uint64_t)info.totalram * info.mem_unit;
}

static struct backing backing_like(const struct request *rq, const struct conf *conf)
{
	return (struct backing){
		.prot = rq->prot,
		.flags = rq->flags & MAP_LOCKED,
		.shared = (rq->flags & MAP_TYPE) == MAP_SHARED,
		.whole = conf->fallback == FALLBACK_FAIL,
		.turn_held = conf->keep_free != 0,
		.may_breathe = conf->keep_free == 0,
	};
}

static size_t eager_bytes(const struct request *rq, const struct conf *conf)
{
	if ((rq->flags & MAP_TYPE) == MAP_SHARED)
		return rq->bytes;
	if (beyond_machine(rq->bytes))
		return 0;
	return rq->bytes < conf->eager_max ? rq->bytes : conf->eager_max;
}

static enum reason reason_for_rest(const struct plan *plan, const struct placed *p)
{
	if (p->bytes - p->huge_bytes < GRANULE && !p->cut_short)
		return REASON_ALIGNMENT;
	if (!p->cut_short)
		return plan->binds;
	return plan_blame(plan->rungs[plan->n - 1].how.page_bytes,
			  plan->rungs[plan->n - 1].how.path);
}

static void account(const struct request *rq, const struct placed *p, enum reason why)
{
	stats_request(rq->use, p->bytes);
	stats_huge(rq->use, p->huge_bytes);
	if (p->bytes > p->huge_bytes)
		stats_small(rq->use, p->bytes - p->huge_bytes, why);
	stats_decide(&(struct decision){
		.call = "mmap",
		.use = rq->use,
		.shared = (rq->flags & MAP_TYPE) == MAP_SHARED,
		.at = p->at,
		.asked = p->bytes,
		.huge = p->huge_bytes,
		.page_bytes = plan_page_bytes(rq->use),
		.why = p->bytes > p->huge_bytes ? why : REASON_NONE,
	});
}

static void unbuild(const struct placed *p)
{
	sys_munmap(p->at, p->bytes);
	stats_release(p->huge_bytes);
}

/*
 * HUGETLB_FALLBACK=fail: is a whole page missing of what was to be huge now? The
 * plan cuts a request to what it knows can be had, so the rungs can't tell.
 */
static bool fell_short(const struct request *rq, const struct conf *conf, const struct plan *plan,
		       const struct placed *p)
{
	const size_t page = plan->rungs[plan->n - 1].how.page_bytes;
	uintptr_t lo = align_up(p->at, page), hi = align_down(p->at + p->bytes, page);
	size_t fits = lo < hi ? hi - lo : 0, eager;

	if (conf->fallback != FALLBACK_FAIL)
		return false;
	eager = align_down(eager_bytes(rq, conf), page);
	return p->huge_bytes < (fits < eager ? fits : eager);
}

/* Plans, and builds; with HUGETLB_KEEP_FREE both in one turn of our own. */
static int build(const struct request *rq, const struct conf *conf, struct plan *plan,
		 struct placed *p)
{
	struct backing like = backing_like(rq, conf);
	struct turn t = { .fd = -1 };
	int err = -ENOMEM;

	if (conf->keep_free)
		t = turn_take(TURN_ALONE, plan_page_bytes(rq->use));
	plan_make(rq->use, &like, rq->bytes, eager_bytes(rq, conf), plan);
	if (plan->n)
		err = place_range(rq, plan->rungs, plan->n, p);
	turn_drop(&t);
	if (err)
		return err;
	stats_hold(p->huge_bytes);
	if (fell_short(rq, conf, plan, p)) {
		unbuild(p);
		return -ENOMEM;
	}
	return 0;
}

/* No huge page: the program's own call, on a line where pages could come later. */
static long map_small(const struct request *rq)
{
	struct placed p = { 0 };
	int err = place_small(rq, GRANULE, &p);

	if (err)
		return as_asked(rq);
	settle_advise(&p);
	if (pagemap_prepare(p.at, p.at + p.bytes) == 0)
		settle_small(rq, p.at, p.at + p.bytes);
	return (long)p.at;
}

/* Called as a guest of the gate. */
static long reroute(const struct request *rq, const struct conf *conf)
{
	struct plan plan;
	struct placed p;
	enum reason why;
	long at = -ENOMEM;
	int err;

	fork_review();
	err = build(rq, conf, &plan, &p);
	if (err == 0 && settle_publish(rq, &p) != 0) {
		unbuild(&p);
		err = -ENOMEM;
		plan.binds = REASON_NO_MEMORY;
		plan.n = 0;
	}
	if (err == 0) {
		settle_advise(&p);
		account(rq, &p, reason_for_rest(&plan, &p));
		return (long)p.at;
	}
	why = plan.n ? plan_blame(plan.rungs[plan.n - 1].how.page_bytes,
				  plan.rungs[plan.n - 1].how.path) : plan.binds;
	if (conf->fallback != FALLBACK_FAIL)
		at = map_small(rq);
	p = (struct placed){ .at = sys_failed(at) ? 0 : (uintptr_t)at,
			     .bytes = align_up(rq->bytes, mem_page_bytes()) };
	account(rq, &p, why);
	return at;
}

static bool is_reservation(const struct request *rq)
{
	return rq->prot == PROT_NONE && (rq->flags & MAP_ANONYMOUS) &&
	       (rq->flags & MAP_TYPE) == MAP_PRIVATE &&
	       !(rq->flags & (MAP_GROWSDOWN | MAP_LOCKED));
}

/* Small memory from earlier that could be huge by now, within a budget of stall. */
static void promote_earlier(const struct conf *conf)
{
	struct backing like = { .turn_held = conf->keep_free != 0 };
	struct turn t = { .fd = -1 };
	struct plan plan;

	if (!conf->promote || !promote_is_due())
		return;
	if (like.turn_held)
		t = turn_take(TURN_ALONE, plan_page_bytes(USE_MMAP));
	plan_make(USE_MMAP, &like, PROMOTE_MOST, PROMOTE_MOST, &plan);
	if (plan.n)
		promote_some(&plan.rungs[plan.n - 1].how, plan.rungs[plan.n - 1].most_pages);
	else
		promote_rest();
	turn_drop(&t);
}

/* Requests of a kind that is left alone are counted when they were large enough. */
static long pass(const struct request *rq, enum reason why)
{
	long at = as_asked(rq);

	if (is_reservation(rq)) {
		if (!sys_failed(at) && rq->bytes >= GRANULE)
			commit_note_reserved((uintptr_t)at, (uintptr_t)at + rq->bytes);
		return at;
	}
	if (why != REASON_NONE && why != REASON_TOO_SMALL && why != REASON_FILTERED &&
	    !sys_failed(at)) {
		account(rq, &(struct placed){ .at = (uintptr_t)at, .bytes = rq->bytes }, why);
	}
	return at;
}

/* Under a filter of the program's (narrow.h): counted, and not followed any further. */
static long map_narrow(const struct request *rq, enum reason why)
{
	long at = as_asked(rq);

	if (!sys_failed(at) && why == REASON_SECCOMP)
		account(rq, &(struct placed){ .at = (uintptr_t)at,
					      .bytes = align_up(rq->bytes, mem_page_bytes()) }, why);
	return at;
}

static bool replaces(const struct request *rq)
{
	return (rq->flags & MAP_FIXED) && !(rq->flags & MAP_FIXED_NOREPLACE) &&
	       route_concerns(rq->at, rq->bytes);
}

/* What replaced memory of ours is a piece of the same arena. */
static void take_note(const struct request *rq, uintptr_t lo, uintptr_t hi)
{
	const int wanted = PROT_READ | PROT_WRITE;

	if (is_reservation(rq))
		commit_note_reserved(lo, hi);
	else if ((rq->flags & MAP_ANONYMOUS) && (rq->flags & MAP_TYPE) == MAP_PRIVATE &&
		 (rq->prot & wanted) == wanted && !(rq->flags & (MAP_GROWSDOWN | MAP_STACK | MAP_LOCKED)) &&
		 hi - lo >= GRANULE)
		commit_fresh(rq, lo, hi);
}

/* MAP_FIXED of the program's over memory of ours: its page lines, not ours. */
static long map_over(const struct request *rq)
{
	uintptr_t lo = rq->at, hi = rq->at + align_up(rq->bytes, mem_page_bytes());
	struct quiet q;
	struct way w;
	long at;

	if (!is_aligned(lo, mem_page_bytes()))
		return as_asked(rq);
	gate_enter(&q);
	at = undo_clear_way(lo, hi, REASON_DEMOTED_MUNMAP, &w);
	if (at == 0 && (w.lo != lo || w.hi != hi)) {
		/* A page of ours that cannot be split: the kernel will refuse. */
		undo_restore(&w);
		at = -ENOMEM;
	} else if (at == 0) {
		at = as_asked(rq);
		if (sys_failed(at))
			undo_refused(&w);
		else
			undo_done(&w);
		if (at == (long)lo && !door_is_narrow())
			take_note(rq, lo, hi);
	}
	gate_leave(&q);
	return at;
}

long route_map(const struct request *rq)
{
	const struct conf *conf = conf_get();
	enum verdict verdict;
	enum reason why;
	struct quiet q;
	long at;

	if (!conf || !conf->active)
		return as_asked(rq);
	/* A handler in the middle of what we do: a filter's, of a call of ours (lock.h). */
	if (gate_role() != GATE_OUTSIDE && !replaces(rq))
		return as_asked(rq);
	verdict = eligible(rq, conf, plan_page_bytes(rq->use), &why);
	/* HUGETLB_EXPLICIT=kernel: but for memory of ours that has to make way. */
	if (conf->explicit_requests == EXPLICIT_KERNEL && verdict == VERDICT_GUARD && !replaces(rq))
		return as_asked(rq);
	if (verdict == VERDICT_GUARD)
		return guard_map(rq);
	if (!(rq->flags & MAP_ANONYMOUS) &&
	    (conf->explicit_requests != EXPLICIT_KERNEL || replaces(rq)) && guard_is_hugetlbfs(rq->fd))
		return guard_map_file(rq);
	if (replaces(rq))
		return map_over(rq);
	if (door_is_narrow())
		return map_narrow(rq, verdict == VERDICT_PASS ? why : REASON_SECCOMP);
	if (verdict == VERDICT_PASS)
		return pass(rq, why);
	if (plan_has_little_room())
		return pass(rq, REASON_NO_MEMORY);
	gate_enter(&q);
	at = reroute(rq, conf);
	promote_earlier(conf);
	gate_leave(&q);
	return at;
}

long route_unmap(uintptr_t at, size_t bytes)
{
	const size_t page = mem_page_bytes();
	struct quiet q;
	long err;

	if (!is_aligned(at, page) || bytes == 0 || align_up_overflows(bytes, page) ||
	    !route_concerns(at, align_up(bytes, page)))
		return sys_munmap(at, bytes);
	gate_enter(&q);
	err = undo_unmap(at, at + align_up(bytes, page), bytes);
	gate_leave(&q);
	return err;
}
