/* SPDX-License-Identifier: MIT */
/* budget.c - the minimum over everything that can bind; see budget.h */
#include "core/decide/budget.h"

static void bind(struct budget *b, uint64_t pages, enum reason why, const char *where)
{
	if (pages < b->pages)
		*b = (struct budget){ .pages = pages, .binds = why, .where = where };
}

static uint64_t room_pages(const struct cgroup_limit *limit, size_t page_bytes)
{
	return limit->room == CGROUP_UNLIMITED ? UINT64_MAX : limit->room / page_bytes;
}

uint64_t budget_own_pages(uint64_t limit, uint64_t taken, size_t page_bytes)
{
	if (limit == UINT64_MAX)
		return UINT64_MAX;
	return limit > taken ? (limit - taken) / page_bytes : 0;
}

static void bind_pool(struct budget *b, const struct budget_facts *f)
{
	uint64_t available = pool_available(f->pool, f->page_bytes);
	enum reason why = f->pool->overcommit ? REASON_OVERCOMMIT : REASON_POOL_SHORT;

	if (f->keep_free) {
		uint64_t spare = available > f->keep_free ? available - f->keep_free : 0;

		bind(b, spare, available > 0 && spare == 0 ? REASON_BUDGET : why, "");
	} else {
		bind(b, available, why, "");
	}
}

struct budget budget_of(const struct budget_facts *f)
{
	struct budget b = { .pages = UINT64_MAX, .binds = REASON_POOL_SHORT, .where = "" };

	if (f->charged_to_memory) {
		bind(&b, 0, REASON_MEMCG, "");
		return b;
	}
	bind(&b, budget_own_pages(f->limit, f->taken, f->page_bytes), REASON_BUDGET, "");
	if (f->groups) {
		bind(&b, room_pages(&f->groups->fault, f->page_bytes), REASON_CGROUP_FAULT,
		     f->groups->fault.path);
		bind(&b, room_pages(&f->groups->rsvd, f->page_bytes), REASON_CGROUP_RSVD,
		     f->groups->rsvd.path);
	}
	if (f->mount)
		bind(&b, f->mount->free_pages, REASON_MOUNT_QUOTA, "");
	if (f->pool)
		bind_pool(&b, f);
	return b;
}

bool budget_reservation_proves(const struct cgroup_hugetlb *groups, bool charged_to_memory,
			       bool node_narrowed)
{
	return groups && groups->complete && !groups->controlled && !charged_to_memory &&
	       !node_narrowed;
}

enum reason budget_blame(const struct budget_facts *f)
{
	struct budget b = budget_of(f);

	if (b.pages == 0)
		return b.binds;
	if (f->node_narrowed)
		return REASON_NODE_SHORT;
	return b.binds;
}
