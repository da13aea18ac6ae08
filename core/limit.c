/* SPDX-License-Identifier: MIT */
/* limit.c - all facts read once, the smallest named */
#include "core/limit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/act/promise.h"
#include "core/act/stats.h"
#include "core/decide/budget.h"
#include "core/facts/conf.h"
#include "core/facts/policy.h"
#include "core/plan.h"

struct facts {
	struct budget_facts budget;
	struct pool pool;
	struct cgroup_hugetlb groups;
	struct mount_room room;
	struct policy policy;
	const char *path;
	bool policy_known;
};

static void gather(size_t page_bytes, struct facts *f)
{
	const struct conf *conf = conf_get();

	f->budget = (struct budget_facts){
		.page_bytes = page_bytes,
		.limit = conf && conf->active ? conf->limit : UINT64_MAX,
		.keep_free = conf ? conf->keep_free : 0,
		.taken = stats_held(),
		.charged_to_memory = plan_charged_to_memory(),
	};
	if (pool_read("", page_bytes, &f->pool) == 0) {
		uint64_t promised = promise_pages(page_bytes);

		f->pool.free -= promised < f->pool.free ? promised : f->pool.free;
		f->budget.pool = &f->pool;
	}
	if (cgroup_read_hugetlb("", page_bytes, &f->groups) == 0)
		f->budget.groups = &f->groups;
	f->path = plan_path(page_bytes);
	if (f->path && mount_room_read(f->path, &f->room) == 0)
		f->budget.mount = &f->room;
	f->policy_known = policy_read("", &f->policy) == 0;
	f->budget.node_narrowed = f->policy_known && f->policy.narrowed;
}

/* Free pages of the nodes allowed; UINT64_MAX when that narrows nothing or can't be known. */
static uint64_t node_pages(const struct facts *f, int node, bool *ret_exists)
{
	const size_t page = f->budget.page_bytes;
	uint64_t sum = 0;
	bool any = false;
	struct pool pool;

	*ret_exists = true;
	if (node != LIMIT_ALL_NODES) {
		*ret_exists = pool_read_node("", (unsigned)node, page, &pool) == 0;
		if (f->policy_known && f->policy.narrowed && node < POLICY_NODES_MAX &&
		    !(f->policy.nodes_allowed[node / 64] >> (node % 64) & 1))
			return 0;
		return *ret_exists ? pool.free : 0;
	}
	if (!f->policy_known || !f->policy.narrowed)
		return UINT64_MAX;
	for (unsigned i = 0; i < POLICY_NODES_MAX; i++) {
		if (!(f->policy.nodes_allowed[i / 64] >> (i % 64) & 1) ||
		    pool_read_node("", i, page, &pool) != 0)
			continue;
		any = true;
		sum += pool.free;
	}
	return any ? sum : UINT64_MAX;
}

static void name(struct limit *l, const char *where)
{
	size_t bytes = strlen(where);

	if (bytes >= sizeof(l->where))
		bytes = sizeof(l->where) - 1;
	memcpy(l->where, where, bytes);
	l->where[bytes] = '\0';
}

static void add_numbers(struct limit *l, const struct facts *f)
{
	const struct cgroup_limit *group = NULL;
	const size_t page = f->budget.page_bytes;

	switch (l->binds) {
	case REASON_CGROUP_FAULT:
		group = &f->groups.fault;
		break;
	case REASON_CGROUP_RSVD:
		group = &f->groups.rsvd;
		break;
	case REASON_MOUNT_QUOTA:
		l->limit = f->room.quota_pages * page;
		l->used = l->limit - f->room.free_pages * page;
		name(l, f->path);
		break;
	case REASON_BUDGET:
		l->limit = f->budget.limit == UINT64_MAX ? 0 : f->budget.limit;
		l->used = l->limit ? f->budget.taken : 0;
		break;
	default:
		break;
	}
	if (group) {
		l->limit = group->limit;
		l->used = group->usage;
		name(l, group->path);
	}
}

int limit_read(size_t page_bytes, int node, struct limit *ret_limit)
{
	struct facts f = { .path = NULL };
	uint64_t nodes;
	struct budget b;
	bool exists;

	if (!plan_has_size(page_bytes))
		return -ENOENT;
	gather(page_bytes, &f);
	nodes = node_pages(&f, node, &exists);
	if (!exists)
		return -ENOENT;
	b = budget_of(&f.budget);
	*ret_limit = (struct limit){ .pages = b.pages, .binds = b.binds };
	if (nodes < b.pages) {
		ret_limit->pages = nodes;
		ret_limit->binds = REASON_NODE_SHORT;
	}
	add_numbers(ret_limit, &f);
	return 0;
}
