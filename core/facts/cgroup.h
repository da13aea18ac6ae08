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
	char path[CGROUP_PATH_SHOWN];	/* of the group that binds, "" when none does */
};

struct cgroup_hugetlb {
	bool controlled;	/* a group above us (or ours) has hugetlb limit files */
	struct cgroup_limit fault;	/* hugetlb.<size>.max, limit_in_bytes */
	struct cgroup_limit rsvd;	/* hugetlb.<size>.rsvd.max, rsvd.limit_in_bytes */
	/*
	 * No limit can exist that we don't see: every ancestor up to the true
	 * root was read, or the kernel has no hugetlb controller, or our group is
	 * the root itself. False inside a cgroup namespace (unless its mount
	 * shows the true root), when a level is unreadable or odd, or when no
	 * mount shows our group.
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
 * no limit; a directory without cgroup.procs is no group we can see. "max", or
 * any value above 2^62, is no limit. Where our group is not below the mount's
 * root, the top of the mount is all that is read.
 *
 * Return: 0, also when there is no controller (controlled is false then);
 * -errno of reading /proc/self/cgroup or mountinfo (-EACCES, -ENOENT: hidden),
 * or of the usage beside a finite limit, which must not be guessed;
 * -ENOMEM.
 */
int cgroup_read_hugetlb(const char *root, size_t page_bytes, struct cgroup_hugetlb *ret_groups);

/*
 * Called with each finite limit above us, of faults and of reservations: private memory
 * that owns no reservation is charged to both when it is touched. @usage_path is the file of
 * what counts against the limit; @room_bytes is what it leaves. Not 0 ends the walk.
 */
typedef int (*cgroup_limit_fn)(const char *usage_path, uint64_t room_bytes, void *arg);

/* 0; what @fn returned; -errno as cgroup_read_hugetlb(). */
int cgroup_each_limit(const char *root, size_t page_bytes, cgroup_limit_fn fn, void *arg);

/**
 * cgroup_charges_memory - memory_hugetlb_accounting, and a memory limit above us
 *
 * Then no huge page may be taken at all: past memory.max Linux 6.12 loops for
 * ever at the touch and 7.2 corrupts its books (KERNEL.md 2.1, R11).
 *
 * Sets *ret_charged when a cgroup2 mount carries the option, the memory controller
 * is a v2 one, and memory.max of any ancestor is finite, or an ancestor cannot
 * be seen. Without a cgroup2 mount to look at the option can't be known: false.
 * Return: 0; -EACCES, -ENOENT, -ENOMEM as above.
 */
int cgroup_charges_memory(const char *root, bool *ret_charged);

#endif
