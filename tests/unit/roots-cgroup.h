/* SPDX-License-Identifier: MIT */
/* roots-cgroup.h - simulated trees of control groups */
#ifndef HRESV_TESTS_UNIT_ROOTS_CGROUP_H
#define HRESV_TESTS_UNIT_ROOTS_CGROUP_H

#include "core/facts/cgroup.h"
#include "tests/unit/roots.h"

#define INITIAL "cgroup:[4026531835]"
#define INNER "cgroup:[4026532911]"
#define V1_UNLIMITED "9223372036854771712\n"
#define CGROUPS "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"

static const char __attribute__((unused)) mount_v2[] = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
static const char __attribute__((unused)) mount_v1[] =
	"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	"33 31 0:30 / /sys/fs/cgroup/hugetlb rw - cgroup cgroup rw,hugetlb\n";

static inline const char *make_root(const char *namespace, const char *groups, const char *mounts)
{
	const char *root = root_make();

	root_link(root, "proc/self/ns/cgroup", namespace);
	tree_write(root, "proc/self/cgroup", groups);
	tree_write(root, "proc/self/mountinfo", mounts);
	tree_write(root, "proc/cgroups", CGROUPS "memory\t0\t1\t1\nhugetlb\t0\t1\t1\n");
	return root;
}

/* A file of a group; every group has cgroup.procs. */
static inline void add_file(const char *root, const char *group, const char *name, const char *text)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	tree_write(root, path, "");
	if (!name)
		return;
	snprintf(path, sizeof(path), "%s/%s", group, name);
	tree_write(root, path, text);
}

/* A v2 group other than the root. */
static inline void add_v2(const char *root, const char *group, const char *max, const char *current,
		   const char *rsvd_max, const char *rsvd_current)
{
	add_file(root, group, "cgroup.type", "domain\n");
	add_file(root, group, "hugetlb.2MB.max", max);
	add_file(root, group, "hugetlb.2MB.current", current);
	add_file(root, group, "hugetlb.2MB.rsvd.max", rsvd_max);
	add_file(root, group, "hugetlb.2MB.rsvd.current", rsvd_current);
	add_file(root, group, "hugetlb.2MB.events", "max 3\n");
}

static inline void add_v1(const char *root, const char *group, const char *limit, const char *usage)
{
	add_file(root, group, "hugetlb.2MB.limit_in_bytes", limit);
	add_file(root, group, "hugetlb.2MB.usage_in_bytes", usage);
	add_file(root, group, "hugetlb.2MB.failcnt", "7\n");
}

static inline struct cgroup_hugetlb read_2m(const char *root)
{
	struct cgroup_hugetlb g;

	REQUIRE_EQ(cgroup_read_hugetlb(root, 2 * MIB, &g), 0);
	return g;
}

#endif
