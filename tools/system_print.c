/* SPDX-License-Identifier: MIT */
/* system_print.c - the machine's huge pages for people; see system.h */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/system.h"
#include "tools/table.h"

static void heads(struct table *t, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		table_text(t, INK_TITLE, names[i]);
}

static void pool_row(struct table *t, const char *where, size_t page_bytes, const struct pool *p,
		     bool node)
{
	bool bad = p->impossible;

	table_text(t, INK_PLAIN, size_text(page_bytes).text);
	table_text(t, node ? INK_DIM : INK_PLAIN, where);
	table_format(t, INK_PLAIN, "%" PRIu64, p->total);
	table_format(t, p->free ? INK_GOOD : INK_PLAIN, "%" PRIu64, p->free);
	if (node)
		table_text(t, INK_PLAIN, "");
	else
		table_format(t, bad ? INK_BAD : INK_PLAIN, "%" PRIi64, (int64_t)p->reserved);
	table_count(t, INK_PLAIN, p->surplus);
	if (node)
		table_text(t, INK_PLAIN, "");
	else
		table_count(t, INK_PLAIN, p->overcommit);
	/* What is reserved is free, and promised. */
	table_size(t, INK_PLAIN, p->total >= p->free ? (p->total - p->free) * page_bytes : 0);
}

static void print_pools(const struct screen *on, const struct system *s)
{
	static const char *const names[] = { "page", "where", "total", "free", "reserved",
					     "surplus", "may add", "in use" };
	struct table t;
	size_t nodes = 0;

	for (size_t i = 0; i < s->n_nodes; i++)
		nodes += s->nodes[i].page_bytes == s->nodes[0].page_bytes;
	table_start(&t, on, "rlrrrrrr");
	heads(&t, names, 8);
	for (size_t i = 0; i < s->sizes.n; i++) {
		if (s->pool_err[i])
			continue;
		pool_row(&t, "pool", s->sizes.bytes[i], &s->pools[i], false);
		for (size_t k = 0; nodes > 1 && k < s->n_nodes; k++)
			if (s->nodes[k].page_bytes == s->sizes.bytes[i]) {
				char where[32];

				snprintf(where, sizeof(where), "node %u", s->nodes[k].node);
				pool_row(&t, where, s->sizes.bytes[i], &s->nodes[k].pool, true);
			}
	}
	table_print(&t, SIZE_MAX);
}

static void print_complaints(const struct screen *on, const struct system *s)
{
	for (size_t i = 0; i < s->sizes.n; i++) {
		const char *complaint = s->pool_err[i] ? "it could not be read" :
							 system_complaint(&s->pools[i]);

		if (!complaint)
			continue;
		screen_ink(on, INK_BAD);
		fprintf(on->to, "pool of %s: %s", size_text(s->sizes.bytes[i]).text, complaint);
		screen_ink(on, INK_PLAIN);
		fputs(s->pool_err[i] ? "\n" : "\n  reservations may fail until the machine is "
						"booted anew\n", on->to);
	}
	if (s->sizes_err)
		fputs("the kernel has no huge pages, or /sys and /proc are hidden\n", on->to);
}

static void print_holders(const struct screen *on, const struct system *s)
{
	static const char *const names[] = { "pid", "user", "huge", "private", "shared",
					     "reserved", "name" };
	struct table t;

	if (!s->n_holders) {
		fputs("\nno process that can be seen has huge pages\n", on->to);
		return;
	}
	fputc('\n', on->to);
	table_start(&t, on, "rrrrrrl");
	heads(&t, names, 7);
	for (size_t i = 0; i < s->n_holders; i++) {
		const struct system_holder *h = &s->holders[i];

		table_format(&t, INK_PLAIN, "%d", (int)h->pid);
		table_format(&t, INK_PLAIN, "%u", (unsigned)h->status.uid);
		table_size(&t, INK_GOOD, h->status.hugetlb_bytes);
		if (h->split_known) {
			table_size(&t, INK_PLAIN, h->private_bytes);
			table_size(&t, INK_PLAIN, h->shared_bytes);
			table_size(&t, INK_PLAIN, h->reserved_bytes);
		} else {
			for (int k = 0; k < 3; k++)
				table_text(&t, INK_DIM, "?");
		}
		table_text(&t, INK_PLAIN, h->status.name);
	}
	table_print(&t, SIZE_MAX);
}

static void limit(struct table *t, uint64_t bytes)
{
	if (bytes == CGROUP_UNLIMITED)
		table_text(t, INK_DIM, "-");
	else
		table_text(t, INK_PLAIN, size_text(bytes).text);
}

static void print_groups(const struct screen *on, const struct system *s)
{
	static const char *const names[] = { "page", "in use", "limit", "reserved", "limit",
					     "refused", "control group" };
	struct table t;

	if (!s->n_groups)
		return;
	fputc('\n', on->to);
	table_start(&t, on, "rrrrrrl");
	heads(&t, names, 7);
	for (size_t i = 0; i < s->n_groups; i++) {
		const struct system_group *g = &s->groups[i];

		table_text(&t, INK_PLAIN, size_text(g->page_bytes).text);
		table_size(&t, INK_PLAIN, g->usage);
		limit(&t, g->limit);
		table_size(&t, INK_PLAIN, g->rsvd_usage);
		limit(&t, g->rsvd_limit);
		table_count(&t, g->refused ? INK_WARN : INK_PLAIN, g->refused);
		table_text(&t, INK_PLAIN, g->path);
	}
	table_print(&t, SIZE_MAX);
}

static void print_mounts(const struct screen *on, const struct system *s)
{
	static const char *const names[] = { "page", "quota", "free of it", "kept", "mode", "mount" };
	struct mount_room room;
	struct table t;

	if (!mounts_count(&s->mounts))
		return;
	fputc('\n', on->to);
	table_start(&t, on, "rrrrll");
	heads(&t, names, 6);
	for (size_t i = 0; i < mounts_count(&s->mounts); i++) {
		const struct hugetlbfs_mount *m = mounts_at(&s->mounts, i);
		bool seen = !*proc_root() && mount_room_read(m->path, &room) == 0;

		table_text(&t, INK_PLAIN, m->page_bytes ? size_text(m->page_bytes).text :
				      seen ? size_text(room.page_bytes).text : "?");
		limit(&t, m->quota_bytes);
		if (seen && room.quota_pages != UINT64_MAX)
			table_text(&t, INK_PLAIN, size_text(room.free_pages * room.page_bytes).text);
		else
			table_text(&t, INK_DIM, m->quota_bytes == UINT64_MAX ? "-" : "?");
		table_size(&t, INK_PLAIN, m->min_bytes);
		table_text(&t, INK_PLAIN, m->read_only ? "ro" : "rw");
		table_text(&t, INK_PLAIN, m->path);
	}
	table_print(&t, SIZE_MAX);
}

void system_print(const struct screen *on, const struct system *s)
{
	if (s->sizes.n)
		print_pools(on, s);
	print_complaints(on, s);
	print_holders(on, s);
	if (s->n_hidden)
		fprintf(on->to, "%zu of %zu processes could not be looked at\n", s->n_hidden,
			s->n_processes);
	print_groups(on, s);
	print_mounts(on, s);
}
