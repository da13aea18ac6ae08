/* SPDX-License-Identifier: MIT */
/*
 * budget.h - how many pages of one size may be promised now, and what binds
 *
 * Pure functions over facts somebody else read. The answer plans and explains;
 * it proves nothing.
 */
#ifndef HRESV_CORE_DECIDE_BUDGET_H
#define HRESV_CORE_DECIDE_BUDGET_H

#include "core/decide/request.h"
#include "core/facts/cgroup.h"
#include "core/facts/mounts.h"
#include "core/facts/pool.h"

/* Facts as far as they were read; a NULL is a fact nobody could read. */
struct budget_facts {
	size_t page_bytes;
	const struct pool *pool;
	const struct cgroup_hugetlb *groups;
	const struct mount_room *mount;		/* only for memory from HUGETLB_PATH */
	bool charged_to_memory;			/* cgroup_charges_memory */
	bool node_narrowed;			/* policy_read */
	uint64_t limit;				/* HUGETLB_LIMIT, bytes */
	uint64_t taken;				/* of it, by this process, bytes */
	uint64_t keep_free;			/* HUGETLB_KEEP_FREE, pages */
};

struct budget {
	uint64_t pages;		/* UINT64_MAX: nothing known binds */
	enum reason binds;	/* what a request for more would hit first */
	const char *where;	/* a cgroup's path, or "" */
};

struct budget budget_of(const struct budget_facts *facts);

/* Without the pool: what the process' own limits leave. */
uint64_t budget_own_pages(uint64_t limit, uint64_t taken, size_t page_bytes);

/*
 * Is a shared reservation of the kernel's enough, without touching a page? Only
 * when no group above us, seen or unseen, has a fault limit or could be given one
 * (where the controller is on, "max" can be lowered while we run), huge pages are
 * not charged as memory, and no policy or cpuset narrows the nodes.
 */
bool budget_reservation_proves(const struct cgroup_hugetlb *groups, bool charged_to_memory,
			       bool node_narrowed);

/*
 * The reason to name when the kernel refused although @facts, read after the
 * refusal, may not show a shortage any more.
 */
enum reason budget_blame(const struct budget_facts *facts);

#endif
