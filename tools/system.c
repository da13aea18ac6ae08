/* SPDX-License-Identifier: MIT */
/* system.c - pools, nodes and mounts; see system.h */
#include "tools/system.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "tools/command.h"

static void add_node(struct system *s, unsigned node, size_t page_bytes)
{
	struct system_node n = { .page_bytes = page_bytes, .node = node };

	if (pool_read_node(proc_root(), node, page_bytes, &n.pool) != 0)
		return;
	s->nodes = reallocarray(s->nodes, s->n_nodes + 1, sizeof(*s->nodes));
	if (!s->nodes)
		exit(command_failed("out of memory"));
	s->nodes[s->n_nodes++] = n;
}

static int by_size_and_number(const void *a, const void *b)
{
	const struct system_node *x = a, *y = b;

	if (x->page_bytes != y->page_bytes)
		return x->page_bytes < y->page_bytes ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

static void read_nodes(struct system *s)
{
	struct dirent *entry;
	uint64_t number;
	char *path;
	DIR *dir;

	if (asprintf(&path, "%s/sys/devices/system/node", proc_root()) < 0)
		return;
	dir = opendir(path);
	free(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		struct span name = span_of(entry->d_name);

		if (!span_starts(name, "node") ||
		    text_u64((struct span){ name.at + 4, name.bytes - 4 }, &number) != 0 ||
		    number > 1u << 20)
			continue;
		for (size_t i = 0; i < s->sizes.n; i++)
			add_node(s, (unsigned)number, s->sizes.bytes[i]);
	}
	closedir(dir);
	if (s->n_nodes)
		qsort(s->nodes, s->n_nodes, sizeof(*s->nodes), by_size_and_number);
}

void system_read(unsigned what, struct system *ret_system)
{
	struct system s = { 0 };

	s.sizes_err = pagesize_read(proc_root(), &s.sizes);
	for (size_t i = 0; i < s.sizes.n; i++)
		s.pool_err[i] = pool_read(proc_root(), s.sizes.bytes[i], &s.pools[i]);
	read_nodes(&s);
	if (mounts_read(proc_root(), &s.mounts) != 0)
		s.mounts = (struct mount_list){ 0 };
	if (what & SYSTEM_HOLDERS)
		system_read_holders(&s, what & SYSTEM_CLAIMS);
	if (what & SYSTEM_GROUPS)
		system_read_groups(&s);
	*ret_system = s;
}

void system_free(struct system *s)
{
	for (size_t i = 0; i < s->n_groups; i++)
		free(s->groups[i].path);
	free(s->nodes);
	free(s->holders);
	free(s->groups);
	mounts_free(&s->mounts);
	*s = (struct system){ 0 };
}

const char *system_complaint(const struct pool *p)
{
	if (!p->impossible)
		return NULL;
	if (p->reserved > p->total)
		return p->reserved > UINT64_MAX / 2 ?
			       "its reservation counter has fallen below 0 (a kernel bug)" :
			       "more pages are reserved than there are (a kernel bug)";
	if (p->free > p->total)
		return "more pages are free than there are (a kernel bug)";
	return "its counters contradict each other (a kernel bug)";
}
