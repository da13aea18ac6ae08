/* SPDX-License-Identifier: MIT */
/* supply.c - facts of core/facts/ put together; see supply.h */
#include "tools/supply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/facts/meminfo.h"
#include "core/facts/policy.h"
#include "tools/proc.h"

static bool has_size(const struct pagesizes *sizes, size_t bytes)
{
	for (size_t i = 0; i < sizes->n; i++)
		if (sizes->bytes[i] == bytes)
			return true;
	return false;
}

static size_t choose_size(size_t wanted, const struct conf *conf, const struct pagesizes *sizes)
{
	if (wanted)
		return wanted;
	if (conf->page_bytes && has_size(sizes, conf->page_bytes))
		return conf->page_bytes;
	return sizes->default_bytes;
}

static void read_groups(struct supply *s)
{
	const char *path;
	char *file;

	s->groups_known = cgroup_read_hugetlb(proc_root(), s->page_bytes, &s->groups) == 0;
	cgroup_charges_memory(proc_root(), &s->charged);
	if (!s->groups_known)
		return;
	path = *s->groups.fault.path ? s->groups.fault.path : s->groups.rsvd.path;
	if (asprintf(&file, "%s%s/cgroup.controllers", proc_root(), path) < 0)
		return;
	s->groups_v2 = access(file, F_OK) == 0;
	free(file);
}

static void read_nodes(struct supply *s)
{
	struct policy policy;
	struct pool pool;

	s->node_pages = UINT64_MAX;
	if (policy_read(proc_root(), &policy) != 0 || !policy.narrowed)
		return;
	s->narrowed = true;
	s->node_pages = 0;
	for (unsigned node = 0; node < POLICY_NODES_MAX; node++)
		if ((policy.nodes_allowed[node / 64] >> node % 64 & 1) &&
		    pool_read_node(proc_root(), node, s->page_bytes, &pool) == 0)
			s->node_pages += pool.free;
}

/* The first directory of HUGETLB_PATH with this size, for as long as @conf lives. */
static void read_mount(const struct conf *conf, struct supply *s)
{
	struct span rest = span_of(conf->paths), part;

	while (!s->mount && span_next_field(&rest, ':', &part)) {
		char *path = strndup(part.at, part.bytes);

		if (path && mount_room_read(path, &s->mount_room) == 0 &&
		    s->mount_room.page_bytes == s->page_bytes)
			s->mount = part.at;
		free(path);
	}
}

static void read_memory(struct supply *s)
{
	struct blob content = { 0 };

	if (blob_read_under(proc_root(), "/proc/meminfo", &content) != 0)
		return;
	if (meminfo_u64((struct span){ content.at, content.bytes }, "MemAvailable:",
			&s->mem_available) != 0)
		s->mem_available = 0;
	blob_free(&content);
}

void supply_read(size_t page_bytes, const struct conf *conf, struct supply *s)
{
	struct rlimit as;

	*s = (struct supply){ .active = conf->active, .limit = conf->limit,
			      .keep_free = conf->keep_free, .group = getegid(),
			      .address_room = UINT64_MAX };
	if (pagesize_read(proc_root(), &s->sizes) != 0)
		s->sizes.n = 0;
	s->page_bytes = choose_size(page_bytes, conf, &s->sizes);
	if (!s->sizes.n || !has_size(&s->sizes, s->page_bytes))
		return;
	s->pool_known = pool_read(proc_root(), s->page_bytes, &s->pool) == 0;
	read_memory(s);
	read_groups(s);
	read_nodes(s);
	read_mount(conf, s);
	if (policy_may_shm_hugetlb(proc_root(), &s->may_shm) != 0)
		s->may_shm = false;
	if (getrlimit(RLIMIT_AS, &as) == 0 && as.rlim_cur != RLIM_INFINITY)
		s->address_room = as.rlim_cur;
}

static uint64_t pages_of(const struct supply *s, uint64_t bytes)
{
	return bytes == UINT64_MAX ? UINT64_MAX : bytes / s->page_bytes;
}

static void bind(struct bound *bounds, size_t *n, enum trouble trouble, uint64_t pages)
{
	if (pages != UINT64_MAX)
		bounds[(*n)++] = (struct bound){ trouble, pages };
}

static void bind_pool(const struct supply *s, struct bound *bounds, size_t *n)
{
	const uint64_t available = pool_available(&s->pool, s->page_bytes);

	if (!s->pool_known)
		return;
	bind(bounds, n, s->pool.total || s->pool.overcommit ? TROUBLE_POOL_SHORT : TROUBLE_NO_POOL,
	     available);
	if (s->keep_free && available)
		bind(bounds, n, TROUBLE_BUDGET,
		     available > s->keep_free ? available - s->keep_free : 0);
}

size_t supply_bounds(const struct supply *s, struct bound bounds[BOUNDS])
{
	size_t n = 0;

	if (!s->sizes.n || !has_size(&s->sizes, s->page_bytes)) {
		bind(bounds, &n, TROUBLE_NO_KERNEL, 0);
		return n;
	}
	if (!s->active)
		bind(bounds, &n, TROUBLE_BUDGET, 0);
	else
		bind(bounds, &n, TROUBLE_BUDGET, pages_of(s, s->limit));
	bind_pool(s, bounds, &n);
	if (s->narrowed)
		bind(bounds, &n, TROUBLE_NODE, s->node_pages);
	if (s->charged)
		bind(bounds, &n, TROUBLE_MEMCG, 0);
	if (s->groups_known) {
		bind(bounds, &n, TROUBLE_CGROUP_FAULT, pages_of(s, s->groups.fault.room));
		bind(bounds, &n, TROUBLE_CGROUP_RSVD, pages_of(s, s->groups.rsvd.room));
	}
	if (s->mount)
		bind(bounds, &n, TROUBLE_MOUNT_QUOTA, s->mount_room.free_pages);
	bind(bounds, &n, TROUBLE_RLIMIT, pages_of(s, s->address_room));
	return n;
}

uint64_t supply_pages(const struct supply *s)
{
	struct bound bounds[BOUNDS];
	uint64_t least = UINT64_MAX;

	for (size_t i = supply_bounds(s, bounds); i-- > 0;)
		if (bounds[i].pages < least)
			least = bounds[i].pages;
	return least;
}
