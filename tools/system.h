/* SPDX-License-Identifier: MIT */
/*
 * system.h - the machine's huge pages: pools, who holds them, groups, mounts
 *
 * A view is stale when it is complete, and what could not be read is counted, not
 * guessed.
 */
#ifndef HRESV_TOOLS_SYSTEM_H
#define HRESV_TOOLS_SYSTEM_H

#include "core/facts/cgroup.h"
#include "core/facts/mounts.h"
#include "core/facts/pagesize.h"
#include "core/facts/pool.h"
#include "tools/json.h"
#include "tools/proc.h"
#include "tools/screen.h"

struct system_node {
	size_t page_bytes;
	unsigned node;
	struct pool pool;
};

/* A process that has huge pages, or a claim on some that it hasn't touched. */
struct system_holder {
	pid_t pid;
	struct proc_status status;
	bool split_known;		/* smaps was readable: what follows is known */
	uint64_t private_bytes, shared_bytes;
	/*
	 * Mapped, not there, and not MAP_NORESERVE: what it may hold reserved. A bound:
	 * several processes that map one file count its reservation each.
	 */
	uint64_t reserved_bytes;
};

/* A control group with huge pages in use, or with a limit. */
struct system_group {
	char *path;			/* below the mount of the hierarchy */
	size_t page_bytes;
	uint64_t usage, limit;		/* bytes; CGROUP_UNLIMITED: none */
	uint64_t rsvd_usage, rsvd_limit;
	uint64_t refused;		/* times a limit was met */
};

struct system {
	struct pagesizes sizes;
	int sizes_err;
	struct pool pools[PAGESIZE_MAX];
	int pool_err[PAGESIZE_MAX];
	struct system_node *nodes;
	size_t n_nodes;
	struct system_holder *holders;	/* most pages first */
	size_t n_holders;
	size_t n_processes, n_hidden;	/* hidden: could not be looked at */
	struct system_group *groups;
	size_t n_groups;
	struct mount_list mounts;
};

/* Parts of it that take longer the more there are. */
enum { SYSTEM_HOLDERS = 1, SYSTEM_CLAIMS = 2, SYSTEM_GROUPS = 4, SYSTEM_ALL = 7 };

/*
 * Looks at all of @what. Never fails as a whole: what can't be read is marked so.
 * SYSTEM_CLAIMS finds processes that have only reserved, for the price of every
 * process' maps.
 */
void system_read(unsigned what, struct system *ret_system);
void system_free(struct system *s);

/* tools/groups.c: adds every group below the hugetlb hierarchies. */
void system_read_groups(struct system *s);
/* tools/holders.c: adds the processes. */
void system_read_holders(struct system *s, bool claims);

/* A pool whose counters can't be, in a sentence; NULL: they can. */
const char *system_complaint(const struct pool *p);

void system_print(const struct screen *on, const struct system *s);
void system_json(struct json *j, const struct system *s);	/* members of an open object */

#endif
