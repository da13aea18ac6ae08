/* SPDX-License-Identifier: MIT */
/* report_print.c - a report for people and for programs; see report.h */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts/pool.h"
#include "tools/report.h"
#include "tools/table.h"

uint64_t report_small(const uint64_t small[REASON_N])
{
	uint64_t bytes = 0;

	for (int why = 1; why < REASON_N; why++)
		bytes += small[why];
	return bytes;
}

struct stats_use report_total(const struct report *r)
{
	const struct stats *s = &r->page.counters;
	struct stats_use t = { .requests = s->guarded_requests, .huge = s->guarded_bytes,
			       .asked = s->guarded_bytes + report_small(s->guarded_why) };

	for (int why = 0; why < REASON_N; why++)
		t.small[why] = s->guarded_why[why];
	for (int use = 0; use < USE_N; use++) {
		t.requests += s->use[use].requests;
		t.asked += s->use[use].asked;
		t.huge += s->use[use].huge;
		for (int why = 0; why < REASON_N; why++)
			t.small[why] += s->use[use].small[why];
	}
	return t;
}

enum reason report_main_reason(const struct report *r)
{
	const struct stats_use t = report_total(r);
	enum reason most = REASON_NONE;

	for (int why = 1; why < REASON_N; why++)
		if (t.small[why] > t.small[most])
			most = (enum reason)why;
	return t.small[most] ? most : REASON_NONE;
}

const char *report_complaint(const struct report *r)
{
	switch (r->page_err) {
	case 0:
		return NULL;
	case -ENXIO:
		return r->status.kernel ? "has no memory of its own" :
					  "libhresv is not loaded in it";
	case -EPROTO:
		return "its libhresv is of another version than this hresv";
	case -EACCES:
	case -EPERM:
		return "its memory is not ours to read: be its user or root; with "
		       "kernel.yama.ptrace_scope above 0, root";
	default:
		return "it could not be read; it may just have ended";
	}
}

const char *report_mend(enum reason why)
{
	switch (why) {
	case REASON_POOL_SHORT:
	case REASON_OVERCOMMIT:
		return "a larger pool: vm.nr_hugepages";
	case REASON_NODE_SHORT:
		return "more pages on its nodes: nodeN/hugepages/*/nr_hugepages in sysfs";
	case REASON_BUDGET:
		return "a higher HUGETLB_LIMIT, or a lower HUGETLB_KEEP_FREE";
	case REASON_CGROUP_FAULT:
		return "a higher hugetlb.<size>.max of its control group";
	case REASON_CGROUP_RSVD:
		return "a higher hugetlb.<size>.rsvd.max of its control group";
	case REASON_MEMCG:
		return "no memory_hugetlb_accounting, or no memory.max above it";
	case REASON_MOUNT_QUOTA:
		return "a larger size= of the hugetlbfs mount";
	case REASON_EPERM:
		return "its group in vm.hugetlb_shm_group, or CAP_IPC_LOCK";
	case REASON_MEMLOCK:
		return "a higher RLIMIT_MEMLOCK";
	case REASON_FILTERED:
		return "HUGETLB_MMAP, _SHM, _MORECORE or _RESTRICT_EXE leaves it out";
	case REASON_NO_MEMORY:
		return "a higher vm.max_map_count, or fewer mappings";
	case REASON_SECCOMP:
		return "its memory made before it filters its system calls";
	case REASON_NOT_YET:
		return "a higher HUGETLB_EAGER_MAX; what it touches is promoted in time";
	default:
		return NULL;
	}
}

static void row(struct table *t, const char *name, uint64_t requests, uint64_t asked, uint64_t huge,
		const uint64_t small[REASON_N])
{
	const uint64_t not_huge = report_small(small);
	bool first = true;

	if (!requests && !huge && !not_huge)
		return;
	table_text(t, INK_PLAIN, name);
	table_count(t, INK_PLAIN, requests);
	table_size(t, INK_PLAIN, asked);
	table_size(t, huge ? INK_GOOD : INK_PLAIN, huge);
	table_size(t, not_huge ? INK_WARN : INK_PLAIN, not_huge);
	if (!not_huge)
		table_text(t, INK_PLAIN, "");
	for (int why = 1; why < REASON_N; why++) {
		if (!small[why])
			continue;
		for (int blank = 0; !first && blank < 5; blank++)
			table_text(t, INK_PLAIN, "");
		table_format(t, INK_PLAIN, "%s %s", size_text(small[why]).text,
			     reason_name((enum reason)why));
		first = false;
	}
}

static void print_uses(const struct screen *on, const struct report *r)
{
	static const char *const heads[] = { "use", "requests", "asked", "huge", "not huge", "why" };
	const struct stats *s = &r->page.counters;
	struct table t;

	table_start(&t, on, "lrrrrl");
	for (size_t i = 0; i < 6; i++)
		table_text(&t, INK_TITLE, heads[i]);
	for (int use = 0; use < USE_N; use++)
		row(&t, use_name((enum use)use), s->use[use].requests, s->use[use].asked,
		    s->use[use].huge, s->use[use].small);
	row(&t, "own huge", s->guarded_requests, s->guarded_bytes + report_small(s->guarded_why),
	    s->guarded_bytes, s->guarded_why);
	table_print(&t, SIZE_MAX);
}

static void print_events(const struct screen *on, const struct report *r)
{
	const struct stats *s = &r->page.counters;
	const struct { const char *what; uint64_t pages; } events[] = {
		{ "promoted", s->promoted }, { "demoted", s->demoted },
		{ "copied for forks", s->copied }, { "rescued", s->rescued },
	};
	const char *before = "pages ";

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i].pages) {
			fprintf(on->to, "%s%s %" PRIu64, before, events[i].what, events[i].pages);
			before = ", ";
		}
	if (*before == ',')
		fputc('\n', on->to);
}

static void print_advice(const struct screen *on, const struct report *r)
{
	const enum reason why = report_main_reason(r);
	const char *mend = report_mend(why);
	struct pool pool;

	if (mend)
		fprintf(on->to, "%s: %s\n", reason_name(why), mend);
	if (!r->page_bytes || r->wanted_pages * r->page_bytes <= r->page.counters.huge_peak)
		return;
	fprintf(on->to, "for all of it to be huge: %s%" PRIu64 " %s of %s",
		r->wanted_at_most ? "at most " : "", r->wanted_pages,
		r->wanted_pages == 1 ? "page" : "pages", size_text(r->page_bytes).text);
	if (pool_read(proc_root(), r->page_bytes, &pool) == 0 && !pool.impossible)
		fprintf(on->to, "; the pool has %" PRIu64 ", %" PRIu64 " free", pool.total,
			pool.free);
	fputc('\n', on->to);
}

static void print_head(const struct screen *on, const struct report *r)
{
	const struct stats *s = &r->page.counters;
	size_t columns;
	char *name = screen_clean(on, r->status.name, strlen(r->status.name), &columns);

	screen_ink(on, INK_TITLE);
	fprintf(on->to, "pid %d%s%s", (int)r->pid, r->live ? ", " : ", ended", name ? name : "");
	screen_ink(on, INK_PLAIN);
	free(name);
	if (r->live)
		fprintf(on->to, ": %s on huge pages, %s on others",
			size_text(r->status.hugetlb_bytes).text, size_text(r->status.rss_bytes).text);
	fputc('\n', on->to);
	if (!r->page_err)
		fprintf(on->to, "huge by libhresv: %s%s, at most %s\n",
			r->live ? "" : "at its end ", size_text(s->huge_now).text,
			size_text(s->huge_peak).text);
}

void report_print(const struct screen *on, const struct report *r)
{
	const char *complaint = report_complaint(r);

	print_head(on, r);
	if (r->copied)
		fprintf(on->to, "it is a copy of process %" PRIu32 " (vfork or clone), whose counts "
			"these are:\n", r->page.pid);
	if (complaint)
		fprintf(on->to, "%s\n", complaint);
	else if (!report_total(r).requests)
		fputs("it has asked for nothing that could be huge\n", on->to);
	else {
		print_uses(on, r);
		print_events(on, r);
		print_advice(on, r);
	}
}

/* The latest decision first; a number that was written over is not there. */
static const struct stats_record *record_back(const struct report *r, uint64_t back)
{
	const uint64_t decided = r->page.decided;
	const struct stats_record *d;

	if (back >= decided)
		return NULL;
	d = &r->page.record[(decided - back - 1) % STATS_RECORDS];
	return d->number == decided - back ? d : NULL;
}

void report_print_decisions(const struct screen *on, const struct report *r, size_t most)
{
	static const char *const heads[] = { "call", "at", "asked", "huge", "pool free", "rest" };
	struct table t;

	table_start(&t, on, "llrrrl");
	for (size_t i = 0; i < 6; i++)
		table_text(&t, INK_TITLE, heads[i]);
	for (uint64_t back = 0; back < STATS_RECORDS && back < most; back++) {
		const struct stats_record *d = record_back(r, back);

		if (!d)
			continue;
		table_text(&t, INK_PLAIN, d->call);
		if (d->at)
			table_format(&t, INK_PLAIN, "%" PRIx64, d->at);
		else
			table_text(&t, INK_PLAIN, "-");
		table_size(&t, INK_PLAIN, d->asked);
		table_size(&t, d->huge ? INK_GOOD : INK_WARN, d->huge);
		if (d->pool_total)
			table_format(&t, INK_PLAIN, "%" PRIu64 "/%" PRIu64, d->pool_free,
				     d->pool_total);
		else
			table_text(&t, INK_PLAIN, "-");
		table_text(&t, INK_PLAIN, d->why ? reason_name((enum reason)d->why) : "");
	}
	if (table_rows(&t) == 1) {
		table_clear(&t);
		return;
	}
	fprintf(on->to, "\nlast decisions of %" PRIu64 ", the latest first:\n", r->page.decided);
	table_print(&t, SIZE_MAX);
}
