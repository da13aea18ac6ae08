/* SPDX-License-Identifier: MIT */
/*
 * supply.h - how many huge pages a program could have here, and what keeps it from more
 *
 * "Here" is this user, control group, namespace, memory policy and environment, as far
 * as they can be read under proc_root(). The numbers are a forecast: only memory that
 * is there is proof.
 */
#ifndef HRESV_TOOLS_SUPPLY_H
#define HRESV_TOOLS_SUPPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts/cgroup.h"
#include "core/facts/conf.h"
#include "core/facts/mounts.h"
#include "core/facts/pagesize.h"
#include "core/facts/pool.h"
#include "tools/trouble.h"

struct supply {
	struct pagesizes sizes;	/* n is 0: no huge pages */
	size_t page_bytes;	/* the size in question */
	struct pool pool;
	bool pool_known;
	uint64_t mem_available;	/* bytes more pages could be made of; 0: unknown */
	struct cgroup_hugetlb groups;
	bool groups_known;
	bool groups_v2;		/* which names the files of a limit have */
	bool charged;		/* memory_hugetlb_accounting, and a limit */
	bool narrowed;		/* policy or cpuset: only these nodes' pages */
	uint64_t node_pages;	/* free on them; UINT64_MAX: unknown */
	bool may_shm;		/* huge System V segments */
	unsigned group;		/* the one that could be allowed to */
	uint64_t address_room;	/* RLIMIT_AS, UINT64_MAX: none */
	const char *mount;	/* the HUGETLB_PATH directory of this size, NULL: none */
	struct mount_room mount_room;
	uint64_t limit, keep_free;	/* of our own settings */
	bool active;
};

/* @page_bytes 0: what @conf and the kernel say. */
void supply_read(size_t page_bytes, const struct conf *conf, struct supply *ret_supply);

/* One thing that allows @pages and no more. */
struct bound {
	enum trouble trouble;
	uint64_t pages;		/* UINT64_MAX: doesn't bind */
};

#define BOUNDS 10

/* All that bind at all: fills @bounds in the order they are told, and returns how many. */
size_t supply_bounds(const struct supply *s, struct bound bounds[BOUNDS]);

/* The least of them; UINT64_MAX: nothing is known that binds. */
uint64_t supply_pages(const struct supply *s);

#endif
