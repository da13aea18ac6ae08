/* SPDX-License-Identifier: MIT */
/* cgroup.h - what the control groups above this process allow of huge pages */
#ifndef HRESV_CORE_FACTS_CGROUP_H
#define HRESV_CORE_FACTS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_UNLIMITED UINT64_MAX
/* Paths kept for messages are cut to this; limits are never lost by it. */
#define CGROUP_PATH_SHOWN 200

/* One limit, the tightest of all ancestors: room = limit - usage, in bytes. */
struct cgroup_limit {
	uint64_t limit;		/* CGROUP_UNLIMITED: none */
	uint64_t usage;
	uint64_t room;		/* CGROUP_UNLIMITED: no limit; 0 when over it */
	uint64_t refused;	/* "max N" of hugetlb.<size>.events (v2), failcnt (v1) */
	char path[CGROUP_PATH_SHOWN];	/* the group that binds, "" when none does */
};

struct cgroup_hugetlb {
	bool controlled;	/* a hugetlb controller governs this process */
	struct cgroup_limit fault;	/* hugetlb.<size>.max, limit_in_bytes */
	struct cgroup_limit rsvd;	/* hugetlb.<size>.rsvd.max, rsvd.limit_in_bytes */
	/*
	 * No fault limit can exist that we don't see: every ancestor up to the
	 * true root was read. False inside a cgroup namespace, when a level is
	 * unreadable, or when nothing at all could be read.
	 */
	bool complete;
};

/**
 * cgroup_read_hugetlb - the limits of every ancestor, v1 and v2, hybrid too
 * @root:       prefix of every path read
 * @page_bytes: the huge page size
 * @ret_groups: untouched on failure
 *
 * The group comes from /proc/self/cgroup, the mount from /proc/self/mountinfo
 * (its root field honoured: nested and bind-mounted hierarchies), the way up
 * to the mount's top is walked level by level. A limit shows only in the file
 * of the group that has it, so every level counts. A group without the file has
 * no limit. "max", or any value above 2^62, is no limit.
 *
 * Return: 0, also when there is no controller (controlled is false then);
 * -EACCES or -ENOENT when /proc hides the groups; -ENOMEM.
 */
int cgroup_read_hugetlb(const char *root, size_t page_bytes, struct cgroup_hugetlb *ret_groups);

/**
 * cgroup_charges_memory - memory_hugetlb_accounting, and a memory limit above us
 *
 * Then no huge page may be taken at all: past memory.max Linux 6.12 loops for
 * ever at the touch and 7.2 corrupts its books (KERNEL.md 2.1, R11).
 *
 * Sets *ret_charged when a cgroup2 mount carries the option and memory.max of
 * any ancestor is finite, or an ancestor cannot be seen.
 * Return: 0; -EACCES, -ENOENT, -ENOMEM as above.
 */
int cgroup_charges_memory(const char *root, bool *ret_charged);

#endif
