/* SPDX-License-Identifier: MIT */
/*
 * image.c - claim, look, plan, build, graft, tell
 *
 * The words of all pages that could become huge are published first, small, and
 * claimed: who changes this memory meanwhile waits. What stays as the loader made it
 * gets its words taken back at the end, and is the kernel's own business again.
 *
 * Pitfalls.
 * 1. Memory is proven readable and writable, and gets its protection when it is full
 *    (graft.c): text must never be both.
 * 2. What binds is known only after the fact. A mapping that nobody may execute, or a
 *    writer that can't be held, is none of the pool's business: the reason says so.
 */
#include "core/image.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/image_file.h"
#include "core/image_heap.h"
#include "core/image_pages.h"
#include "core/image_thp.h"
#include "core/plan.h"

struct job {
	const struct image_segment *s;
	struct image_map map;
	size_t huge;		/* bytes of the segment on huge pages of the pool */
	size_t thp;		/* bytes that became transparent ones */
	size_t possible;	/* bytes of the segment in pages that could be huge */
	enum reason why;	/* what kept the last one from it */
};

static size_t inside(const struct image_segment *s, uintptr_t lo, uintptr_t hi)
{
	lo = lo > s->lo ? lo : s->lo;
	hi = hi < s->hi ? hi : s->hi;
	return lo < hi ? hi - lo : 0;
}

static enum reason blame(int err, const struct rung *r)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return REASON_EPERM;
	case -EBUSY:
		return REASON_NOT_YET;
	case -ENOMEM:
		return plan_blame(r->how.page_bytes, r->how.path);
	default:
		return REASON_NO_MEMORY;
	}
}

/* Builds and grafts one run; returns where it ended, or run->lo. */
static uintptr_t make_run(struct job *j, const struct rung *r, const struct image_run *run)
{
	const size_t page = r->how.page_bytes;
	struct graft g = {
		.at = run->lo,
		.prot = run->prot,
		.parts = (const struct graft_part *)j->map.parts.at,
		.n = j->map.parts.bytes / sizeof(struct graft_part),
	};
	size_t want = (run->hi - run->lo) / page, got;
	int err;

	if (want > r->most_pages)
		want = (size_t)r->most_pages;
	if (want == 0)
		return run->lo;
	err = backing_make(&r->how, want, 0, &g.aside, &got);
	if (err) {
		j->why = blame(err, r);
		return run->lo;
	}
	if (got < want)
		j->why = blame(-ENOMEM, r);
	g.bytes = got * page;
	err = graft_over(&g);
	if (err) {
		sys_munmap(g.aside, g.bytes);
		j->why = err == -ENOMEM ? REASON_NO_MEMORY : blame(err, r);
		return run->lo;
	}
	pagemap_set(g.at, g.at + g.bytes, word_make(PAGE_PRIVATE, run->prot, page, j->s->use));
	stats_hold(g.bytes);
	j->huge += inside(j->s, g.at, g.at + g.bytes);
	return g.at + g.bytes;
}

/* Every run of @r's page size in the segment, as far as pages go. */
static void make_rung(struct job *j, struct rung *r)
{
	const size_t page = r->how.page_bytes;
	struct image_run run;
	uintptr_t at, end;

	image_span(j->s, page, &at, &end);
	while (r->most_pages && image_next_run(&j->map, j->s, page, at, end, &run)) {
		uintptr_t to = make_run(j, r, &run);

		r->most_pages -= (to - run.lo) / page;
		if (to < run.hi)
			return;
		at = to;
	}
}

static void make_huge(struct job *j, size_t bytes)
{
	const struct conf *conf = conf_get();
	const struct backing like = { .prot = PROT_READ | PROT_WRITE,
				      .turn_held = conf->keep_free != 0 };
	struct turn t = { .fd = -1 };
	struct plan plan;

	if (like.turn_held)
		t = turn_take(TURN_ALONE, plan_page_bytes(j->s->use));
	plan_make(j->s->use, &like, bytes, bytes < conf->eager_max ? bytes : conf->eager_max,
		  &plan);
	j->why = plan.binds;
	for (size_t i = 0; i < plan.n; i++)
		make_rung(j, &plan.rungs[i]);
	turn_drop(&t);
}

/* What is left of the pages that could be huge. */
static void make_transparent(struct job *j, uintptr_t lo, uintptr_t hi)
{
	struct image_run run;

	for (; image_next_run(&j->map, j->s, GRANULE, lo, hi, &run); lo = run.hi)
		j->thp += inside(j->s, run.lo, run.lo + image_thp(&j->map, &run, j->s->use));
}

static void take_back_small(uintptr_t lo, uintptr_t hi)
{
	page_word word;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		if (word_kind(word) == PAGE_SMALL && word_prot(word) == 0)
			pagemap_set(at, end, 0);
	}
}

static size_t possible(const struct job *j, uintptr_t lo, uintptr_t hi)
{
	struct image_run run;
	size_t bytes = 0;

	for (; image_next_run(&j->map, j->s, GRANULE, lo, hi, &run); lo = run.hi)
		bytes += inside(j->s, run.lo, run.hi);
	return bytes;
}

/* [lo, hi) is claimed, and small. */
static void remap_seen(struct job *j, uintptr_t lo, uintptr_t hi)
{
	const struct image_segment *s = j->s;

	j->possible = possible(j, lo, hi);
	if (s->use == USE_DATA)
		image_file_note(lo, hi);
	if (j->possible && place_moves(plan_page_bytes(s->use)) == PLACE_MOVES)
		make_huge(j, hi - lo);
	else
		j->why = REASON_FIXED;
	if (s->use == USE_TEXT && conf_get()->fallback == FALLBACK_THP && j->huge < j->possible)
		make_transparent(j, lo, hi);
}

static void remap(struct job *j, uintptr_t lo, uintptr_t hi)
{
	struct image_heap heap;

	image_heap_raise(j->s, &heap);
	if (image_map_read(&j->map, lo, hi) == 0)
		remap_seen(j, lo, hi);
	else
		j->why = REASON_NO_MEMORY;
	image_heap_settle(&heap);
}

static void tell(const struct job *j)
{
	const struct image_segment *s = j->s;
	const size_t bytes = s->hi - s->lo;

	stats_request(s->use, bytes);
	stats_huge(s->use, j->huge);
	if (j->possible > j->huge)
		stats_small(s->use, j->possible - j->huge, j->why);
	if (bytes > j->possible)
		stats_small(s->use, bytes - j->possible, REASON_ALIGNMENT);
	stats_decide(&(struct decision){
		.call = s->use == USE_DATA ? "data" : j->thp ? "text (thp)" : "text",
		.use = s->use, .at = s->lo, .asked = bytes, .huge = j->huge,
		.page_bytes = plan_page_bytes(s->use),
		.why = j->huge == bytes ? REASON_NONE : j->possible > j->huge ? j->why :
		       REASON_ALIGNMENT });
}

size_t image_remap(const struct image_segment *s)
{
	struct job j = { .s = s, .why = REASON_NO_MEMORY };
	struct claim claim;
	uintptr_t lo, hi;
	struct quiet q;

	image_span(s, GRANULE, &lo, &hi);
	if (lo < hi && plan_page_bytes(s->use)) {
		gate_enter(&q);
		if (!pagemap_any(lo, hi) && pagemap_prepare(lo, hi) == 0) {
			pagemap_set(lo, hi, word_make(PAGE_SMALL, 0, mem_page_bytes(), s->use));
			claim = pagemap_claim(lo, hi);
			remap(&j, lo, hi);
			take_back_small(lo, hi);
			pagemap_unclaim(&claim);
			image_map_free(&j.map);
		}
		gate_leave(&q);
	}
	tell(&j);
	return j.huge + j.thp;
}
