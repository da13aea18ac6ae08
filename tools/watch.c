/* SPDX-License-Identifier: MIT */
/* watch.c - see watch.h */
#include "tools/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/sys.h"
#include "tools/page.h"

#define LOOK_AGAIN_NS 10000000000u

bool watched_matters(const struct watched *p)
{
	return p->status.hugetlb_bytes || p->in_use;
}

/* Spread, so that not all are looked at in the same round again. */
static uint64_t look_later(uint64_t now, pid_t pid)
{
	return now + LOOK_AGAIN_NS + (uint64_t)(pid % 64) * (LOOK_AGAIN_NS / 64);
}

static void forget_page(struct watched *p)
{
	p->has_page = p->in_use = false;
	p->total = (struct stats_use){ 0 };
	p->main_reason = REASON_NONE;
	p->huge_now = p->wanted_bytes = 0;
	p->promoted = p->demoted = p->copied = p->rescued = 0;
}

static void take_over(struct watched *p, const struct report *r)
{
	const struct stats *s = &r->page.counters;

	if (r->copied) {
		forget_page(p);
		return;
	}
	p->in_use = r->page.pid != 0;
	p->total = report_total(r);
	p->main_reason = report_main_reason(r);
	p->huge_now = s->huge_now;
	p->wanted_bytes = r->wanted_pages * r->page_bytes;
	p->page_bytes = r->page_bytes;
	p->promoted = s->promoted;
	p->demoted = s->demoted;
	p->copied = s->copied;
	p->rescued = s->rescued;
}

/* As kernel threads and zombies have no memory, they have no page. */
static void look_for_page(struct watched *p, uint64_t now)
{
	if (p->status.kernel || (!p->has_page && now < p->look_at_ns))
		return;
	if (!p->has_page) {
		p->has_page = page_find(p->pid, &p->page_at) == 0;
		p->look_at_ns = look_later(now, p->pid);
	}
}

static void look(struct watched *p, struct blob *scratch, uint64_t now, struct report *r)
{
	struct proc_status status;

	p->seen = proc_status(p->pid, scratch, &status) == 0;
	if (!p->seen)
		return;
	if (strcmp(status.name, p->status.name) != 0) {
		forget_page(p);
		p->look_at_ns = 0;
	}
	p->status = status;
	look_for_page(p, now);
	if (!p->has_page)
		return;
	*r = (struct report){ .live = true, .pid = p->pid, .status = status };
	report_read_page(r, p->page_at);
	if (r->page_err)
		forget_page(p);
	else
		take_over(p, r);
}

/* Both ascend: what is new comes in, what is gone goes. */
static int merge(struct watch *w, const pid_t *pids, size_t n)
{
	struct watched *now = calloc(n ? n : 1, sizeof(*now));
	size_t old = 0;

	if (!now)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		while (old < w->n && w->at[old].pid < pids[i])
			old++;
		if (old < w->n && w->at[old].pid == pids[i])
			now[i] = w->at[old];
		else
			now[i].pid = pids[i];
	}
	free(w->at);
	w->at = now;
	w->n = n;
	return 0;
}

int watch_round(struct watch *w)
{
	struct report *r = malloc(sizeof(*r));
	const uint64_t now = sys_now_ns();
	pid_t *pids;
	size_t n;
	int err = r ? proc_list(&pids, &n) : -ENOMEM;

	if (!err) {
		err = merge(w, pids, n);
		free(pids);
	}
	for (size_t i = 0; !err && i < w->n; i++)
		look(&w->at[i], &w->scratch, now, r);
	free(r);
	return err;
}

void watch_free(struct watch *w)
{
	free(w->at);
	blob_free(&w->scratch);
	*w = (struct watch){ 0 };
}
