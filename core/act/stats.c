/* SPDX-License-Identifier: MIT */
/* stats.c - the counters, and the table people read at exit */
#include "core/act/stats.h"

#include "core/base/out.h"
#include "core/base/sys.h"

/* Right end of the column of what is not huge; reasons follow, 80 columns in all. */
#define COLUMN_SMALL 60

static struct stats counters;

static void add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

const struct stats *stats_get(void)
{
	return &counters;
}

void stats_request(enum use use, size_t asked)
{
	add(&counters.use[use].requests, 1);
	add(&counters.use[use].asked, asked);
}

void stats_huge(enum use use, size_t bytes)
{
	add(&counters.use[use].huge, bytes);
}

void stats_small(enum use use, size_t bytes, enum reason why)
{
	add(&counters.use[use].small[why], bytes);
}

void stats_guarded(size_t bytes, enum reason why)
{
	add(&counters.guarded_requests, 1);
	if (why == REASON_NONE) {
		add(&counters.guarded_bytes, bytes);
		return;
	}
	add(&counters.guarded_refused, 1);
	add(&counters.guarded_why[why], bytes);
}

void stats_hold(size_t bytes)
{
	uint64_t now = __atomic_add_fetch(&counters.huge_now, bytes, __ATOMIC_RELAXED);
	uint64_t peak = load(&counters.huge_peak);

	while (now > peak && !__atomic_compare_exchange_n(&counters.huge_peak, &peak, now, true,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void stats_release(size_t bytes)
{
	__atomic_fetch_sub(&counters.huge_now, bytes, __ATOMIC_RELAXED);
}

uint64_t stats_held(void)
{
	return load(&counters.huge_now);
}

void stats_demoted(size_t pages)
{
	add(&counters.demoted, pages);
}

void stats_promoted(size_t pages)
{
	add(&counters.promoted, pages);
}

void stats_rescued(size_t pages)
{
	add(&counters.rescued, pages);
}

void stats_tell(const char *call, size_t asked, size_t huge, enum reason why, const char *where)
{
	struct line l;

	if (out_level() < 3)
		return;
	line_start(&l);
	line_text(&l, "libhresv: ");
	line_text(&l, call);
	line_text(&l, " ");
	line_size(&l, asked);
	line_text(&l, ": ");
	line_size(&l, huge);
	line_text(&l, " huge");
	if (why != REASON_NONE) {
		line_text(&l, ", rest ");
		line_text(&l, reason_name(why));
	}
	if (where && *where) {
		line_text(&l, " (");
		line_text(&l, where);
		line_text(&l, ")");
	}
	line_send(&l);
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
	static const char *const names[USE_N] = { "mmap", "shm", "malloc", "text", "data" };
	const struct stats_use *u = &counters.use[use];
	uint64_t small = 0;

	if (!load(&u->requests))
		return;
	for (int why = 0; why < REASON_N; why++)
		small += load(&u->small[why]);
	print_row(names[use], load(&u->requests), load(&u->asked), load(&u->huge), small);
	print_reasons(u->small);
}

static void print_guarded(void)
{
	uint64_t refused = 0;

	if (!load(&counters.guarded_requests))
		return;
	for (int why = 0; why < REASON_N; why++)
		refused += load(&counters.guarded_why[why]);
	print_row("own huge", load(&counters.guarded_requests),
		  load(&counters.guarded_bytes) + refused, load(&counters.guarded_bytes), refused);
	print_reasons(counters.guarded_why);
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

void stats_print_table(size_t page_bytes)
{
	uint64_t requests = load(&counters.guarded_requests);
	struct line l;

	for (int use = 0; use < USE_N; use++)
		requests += load(&counters.use[use].requests);
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
	print_pages("demoted ", load(&counters.demoted));
	print_pages("promoted ", load(&counters.promoted));
	print_pages("rescued ", load(&counters.rescued));
}
