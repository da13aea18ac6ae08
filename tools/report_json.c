/* SPDX-License-Identifier: MIT */
/* report_json.c - a report as JSON; see report.h */
#include "tools/report.h"

static void reasons(struct json *j, const uint64_t small[REASON_N])
{
	json_object(j, "small");
	for (int why = 1; why < REASON_N; why++)
		if (small[why])
			json_u64(j, reason_name((enum reason)why), small[why]);
	json_end_object(j);
}

static void uses(struct json *j, const struct stats *s)
{
	json_object(j, "uses");
	for (int use = 0; use < USE_N; use++) {
		json_object(j, use_name((enum use)use));
		json_u64(j, "requests", s->use[use].requests);
		json_u64(j, "asked", s->use[use].asked);
		json_u64(j, "huge", s->use[use].huge);
		reasons(j, s->use[use].small);
		json_end_object(j);
	}
	json_end_object(j);
	json_object(j, "own_huge");
	json_u64(j, "requests", s->guarded_requests);
	json_u64(j, "refused", s->guarded_refused);
	json_u64(j, "huge", s->guarded_bytes);
	reasons(j, s->guarded_why);
	json_end_object(j);
}

static void sizes(struct json *j, const struct stats *s)
{
	json_list(j, "sizes");
	for (size_t i = 0; i < PAGESIZE_MAX; i++) {
		const struct stats_size *z = &s->size[i];

		if (!z->page_bytes)
			continue;
		json_object(j, NULL);
		json_u64(j, "page_bytes", z->page_bytes);
		json_u64(j, "requests", z->requests);
		json_u64(j, "asked", z->asked);
		json_u64(j, "huge", z->huge);
		reasons(j, z->small);
		if (z->pool_looks) {
			json_u64(j, "pool_total", z->pool_total);
			json_u64(j, "pool_free", z->pool_free);
			json_u64(j, "pool_reserved", z->pool_reserved);
			json_u64(j, "pool_surplus", z->pool_surplus);
		}
		json_end_object(j);
	}
	json_end_list(j);
}

void report_json(struct json *j, const struct report *r)
{
	const struct stats *s = &r->page.counters;

	json_u64(j, "pid", (uint64_t)r->pid);
	json_bool(j, "running", r->live);
	if (r->live) {
		json_text(j, "name", r->status.name);
		json_u64(j, "uid", r->status.uid);
		json_u64(j, "huge_bytes", r->status.hugetlb_bytes);
		json_u64(j, "other_bytes", r->status.rss_bytes);
	}
	if (r->page_err) {
		json_text(j, "unknown_because", report_complaint(r));
		return;
	}
	json_bool(j, "copied", r->copied);
	json_u64(j, "page_bytes", r->page_bytes);
	json_u64(j, "huge_now", s->huge_now);
	json_u64(j, "huge_peak", s->huge_peak);
	json_u64(j, "wanted_pages", r->wanted_pages);
	json_bool(j, "wanted_at_most", r->wanted_at_most);
	json_u64(j, "promoted", s->promoted);
	json_u64(j, "demoted", s->demoted);
	json_u64(j, "fork_copies", s->copied);
	json_u64(j, "rescued", s->rescued);
	uses(j, s);
	sizes(j, s);
}

void report_json_decisions(struct json *j, const struct report *r)
{
	const uint64_t decided = r->page.decided;

	json_u64(j, "decided", decided);
	json_list(j, "decisions");
	for (uint64_t back = 0; back < STATS_RECORDS && back < decided; back++) {
		const struct stats_record *d = &r->page.record[(decided - back - 1) % STATS_RECORDS];

		if (d->number != decided - back)
			continue;
		json_object(j, NULL);
		json_u64(j, "number", d->number);
		json_text(j, "call", d->call);
		json_text(j, "use", use_name((enum use)d->use));
		json_bool(j, "own", d->own);
		json_u64(j, "at", d->at);
		json_u64(j, "asked", d->asked);
		json_u64(j, "huge", d->huge);
		json_u64(j, "page_bytes", d->page_bytes);
		json_text(j, "why", reason_name((enum reason)d->why));
		json_u64(j, "pool_free", d->pool_free);
		json_u64(j, "pool_total", d->pool_total);
		json_end_object(j);
	}
	json_end_list(j);
}
