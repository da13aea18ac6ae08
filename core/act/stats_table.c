/* SPDX-License-Identifier: MIT */
/* stats_table.c - the table people read at exit (HUGETLB_VERBOSE=2) */
#include "core/act/stats.h"
#include "core/base/out.h"
#include "core/base/sys.h"

/* Right end of the column of what is not huge; reasons follow, 80 columns in all. */
#define COLUMN_SMALL 60

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* One cell, right-aligned so that its last character stands at @column. */
static void cell_size(struct line *l, uint64_t bytes, size_t column)
{
	size_t mark = l->bytes;

	if (bytes)
		line_size(l, bytes);
	else
		line_text(l, "-");
	line_right(l, mark, column);
}

static void print_reasons(const uint64_t *small)
{
	struct line l;

	for (int why = 1; why < REASON_N; why++) {
		uint64_t bytes = load(&small[why]);

		if (!bytes)
			continue;
		line_start(&l);
		line_text(&l, "libhresv:");
		cell_size(&l, bytes, COLUMN_SMALL);
		line_text(&l, "  ");
		line_text(&l, reason_name(why));
		line_send(&l);
	}
}

static void print_row(const char *name, uint64_t requests, uint64_t asked, uint64_t huge,
		      uint64_t small)
{
	struct line l;
	size_t mark;

	line_start(&l);
	line_text(&l, "libhresv: ");
	line_text(&l, name);
	line_column(&l, 19);
	mark = l.bytes;
	line_u64(&l, requests);
	line_right(&l, mark, 27);
	cell_size(&l, asked, 38);
	cell_size(&l, huge, 49);
	cell_size(&l, small, COLUMN_SMALL);
	line_send(&l);
}

static void print_use(enum use use)
{
	const struct stats_use *u = &stats_get()->use[use];
	uint64_t small = 0;

	if (!load(&u->requests))
		return;
	for (int why = 0; why < REASON_N; why++)
		small += load(&u->small[why]);
	print_row(use_name(use), load(&u->requests), load(&u->asked), load(&u->huge), small);
	print_reasons(u->small);
}

static void print_guarded(void)
{
	const struct stats *s = stats_get();
	uint64_t refused = 0;

	if (!load(&s->guarded_requests))
		return;
	for (int why = 0; why < REASON_N; why++)
		refused += load(&s->guarded_why[why]);
	print_row("own huge", load(&s->guarded_requests), load(&s->guarded_bytes) + refused,
		  load(&s->guarded_bytes), refused);
	print_reasons(s->guarded_why);
}

static void print_pages(const char *what, uint64_t pages)
{
	struct line l;

	if (!pages)
		return;
	line_start(&l);
	line_text(&l, "libhresv: ");
	line_text(&l, what);
	line_u64(&l, pages);
	line_text(&l, pages == 1 ? " page" : " pages");
	line_send(&l);
}

/* Said only where it differs from what there was. */
static void print_wanted(size_t page_bytes)
{
	struct pool pool;
	struct line l;
	bool at_most;
	uint64_t pages = stats_wanted_pages(page_bytes, &at_most);

	if (pages <= load(&stats_get()->huge_peak) / page_bytes)
		return;
	line_start(&l);
	line_text(&l, "libhresv: for all of it to be huge: ");
	line_text(&l, at_most ? "at most " : "");
	line_u64(&l, pages);
	line_text(&l, pages == 1 ? " page of " : " pages of ");
	line_size(&l, page_bytes);
	if (pool_read("", page_bytes, &pool) == 0 && !pool.impossible) {
		line_text(&l, " (the pool has ");
		line_u64(&l, pool.total);
		line_text(&l, ", ");
		line_u64(&l, pool.free);
		line_text(&l, " free)");
	}
	line_send(&l);
}

void stats_print_table(size_t page_bytes)
{
	const struct stats *s = stats_get();
	uint64_t requests = load(&s->guarded_requests);
	struct line l;

	for (int use = 0; use < USE_N; use++)
		requests += load(&s->use[use].requests);
	if (!requests)
		return;
	line_start(&l);
	line_text(&l, "libhresv: pid ");
	line_u64(&l, (uint64_t)sys_getpid());
	line_text(&l, ", huge pages of ");
	line_size(&l, page_bytes);
	line_send(&l);
	line_text(&l, "libhresv: use      requests      asked       huge   not huge  why");
	line_send(&l);
	for (int use = 0; use < USE_N; use++)
		print_use(use);
	print_guarded();
	print_pages("demoted ", load(&s->demoted));
	print_pages("promoted ", load(&s->promoted));
	print_pages("copied for forks ", load(&s->copied));
	print_pages("rescued ", load(&s->rescued));
	if (page_bytes)
		print_wanted(page_bytes);
}
