/* SPDX-License-Identifier: MIT */
/* holders.c - which processes have huge pages; see system.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/smaps.h"
#include "tools/system.h"

static bool is_claim(const struct system *s, const struct vma *v)
{
	if (span_starts(v->name, "/anon_hugepage") || span_starts(v->name, "/SYSV"))
		return true;
	for (size_t i = 0; i < mounts_count(&s->mounts); i++)
		if (span_starts(v->name, mounts_at(&s->mounts, i)->path))
			return true;
	return false;
}

/* Could it have reserved pages that it hasn't touched? */
static bool may_claim(const struct system *s, pid_t pid, struct blob *scratch)
{
	struct span rest;
	struct vma v;

	if (proc_read(pid, "maps", scratch) != 0)
		return false;
	rest = (struct span){ scratch->at, scratch->bytes };
	while (smaps_next(&rest, &v))
		if (is_claim(s, &v))
			return true;
	return false;
}

static void read_split(struct system_holder *h, struct blob *scratch)
{
	struct span rest;
	struct vma v;

	if (proc_read(h->pid, "smaps", scratch) != 0)
		return;
	h->split_known = true;
	rest = (struct span){ scratch->at, scratch->bytes };
	while (smaps_next(&rest, &v)) {
		h->private_bytes += v.private_huge;
		h->shared_bytes += v.shared_huge;
		if (v.hugetlb && !v.unreserved)
			h->reserved_bytes += v.hi - v.lo - vma_huge(&v);
	}
}

static void add(struct system *s, const struct system_holder *h)
{
	/* Room doubles whenever the number is a power of two. */
	if ((s->n_holders & (s->n_holders - 1)) == 0) {
		size_t room = s->n_holders ? s->n_holders * 2 : 1;

		s->holders = reallocarray(s->holders, room, sizeof(*h));
		if (!s->holders)
			exit(command_failed("out of memory"));
	}
	s->holders[s->n_holders++] = *h;
}

static void look_at(struct system *s, pid_t pid, bool claims, struct blob *scratch)
{
	struct system_holder h = { .pid = pid };
	int err = proc_status(pid, scratch, &h.status);

	if (err == -ENOENT || err == -ESRCH)
		return;
	s->n_processes++;
	if (err) {
		s->n_hidden++;
		return;
	}
	if (h.status.kernel)
		return;
	if (!h.status.hugetlb_bytes && !(claims && may_claim(s, pid, scratch)))
		return;
	read_split(&h, scratch);
	if (h.status.hugetlb_bytes || h.reserved_bytes)
		add(s, &h);
}

static int most_first(const void *a, const void *b)
{
	const struct system_holder *x = a, *y = b;
	uint64_t p = x->status.hugetlb_bytes, q = y->status.hugetlb_bytes;

	if (p == q) {
		p = x->reserved_bytes;
		q = y->reserved_bytes;
	}
	if (p == q)
		return (x->pid > y->pid) - (x->pid < y->pid);
	return p > q ? -1 : 1;
}

void system_read_holders(struct system *s, bool claims)
{
	struct blob scratch = { 0 };
	pid_t *pids;
	size_t n;

	if (proc_list(&pids, &n) != 0)
		return;
	for (size_t i = 0; i < n; i++)
		look_at(s, pids[i], claims, &scratch);
	free(pids);
	blob_free(&scratch);
	if (s->n_holders)
		qsort(s->holders, s->n_holders, sizeof(*s->holders), most_first);
}
