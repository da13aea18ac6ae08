/* SPDX-License-Identifier: MIT */
/*
 * The limits above a process, in every way its groups can be shown: v1, v2,
 * both, namespaces, mounts of a part, files missing or odd.
 */
#include "tests/unit/roots-cgroup.h"

TEST(cgroup_v2_tightest_ancestor_binds)
{
	const char *root = make_root(INITIAL, "0::/pod/box\n", mount_v2);
	struct cgroup_hugetlb g;

	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_v2(root, "sys/fs/cgroup/pod", "8388608\n", "6291456\n", "max\n", "0\n");
	add_v2(root, "sys/fs/cgroup/pod/box", "16777216\n", "2097152\n", "4194304\n", "0\n");
	g = read_2m(root);
	EXPECT_TRUE(g.controlled);
	EXPECT_TRUE(g.complete);
	EXPECT_EQ(g.fault.limit, 8 * MIB);
	EXPECT_EQ(g.fault.usage, 6 * MIB);
	EXPECT_EQ(g.fault.room, 2 * MIB);
	EXPECT_EQ(g.fault.refused, 3);
	EXPECT_STR_EQ(g.fault.path, "/sys/fs/cgroup/pod");
	EXPECT_EQ(g.rsvd.limit, 4 * MIB);
	EXPECT_EQ(g.rsvd.room, 4 * MIB);
	EXPECT_STR_EQ(g.rsvd.path, "/sys/fs/cgroup/pod/box");
}

TEST(cgroup_usage_over_the_limit_leaves_no_room)
{
	const char *root = make_root(INITIAL, "0::/pod\n", mount_v2);

	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_v2(root, "sys/fs/cgroup/pod", "2097152\n", "6291456\n", "0\n", "0\n");
	EXPECT_EQ(read_2m(root).fault.room, 0);
	EXPECT_EQ(read_2m(root).rsvd.room, 0);
	EXPECT_EQ(read_2m(root).rsvd.limit, 0);
}

TEST(cgroup_unlimited_reads_as_unlimited)
{
	static const char *const texts[] = { "max\n", V1_UNLIMITED, "18446744073709551615\n",
					     "18446744073709551616\n" };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const char *root = make_root(INITIAL, "0::/pod\n", mount_v2);
		struct cgroup_hugetlb g;

		add_file(root, "sys/fs/cgroup", NULL, NULL);
		add_v2(root, "sys/fs/cgroup/pod", texts[i], "0\n", texts[i], "0\n");
		g = read_2m(root);
		EXPECT_TRUE(g.controlled);
		EXPECT_TRUE(g.complete);
		EXPECT_EQ(g.fault.limit, CGROUP_UNLIMITED);
		EXPECT_EQ(g.fault.room, CGROUP_UNLIMITED);
		EXPECT_STR_EQ(g.fault.path, "");
	}
}

TEST(cgroup_size_is_named_as_the_kernel_does)
{
	static const struct {
		size_t bytes;
		const char *name;
	} table[] = { { 64 * KIB, "64KB" }, { 2 * MIB, "2MB" }, { 32 * MIB, "32MB" },
		      { 512 * MIB, "512MB" }, { GIB, "1GB" }, { 16 * GIB, "16GB" } };
	const char *root = make_root(INITIAL, "0::/pod\n", mount_v2);
	struct cgroup_hugetlb g;

	add_file(root, "sys/fs/cgroup", NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		char name[64], limit[32];

		snprintf(name, sizeof(name), "hugetlb.%s.max", table[i].name);
		snprintf(limit, sizeof(limit), "%zu\n", table[i].bytes);
		add_file(root, "sys/fs/cgroup/pod", name, limit);
		snprintf(name, sizeof(name), "hugetlb.%s.current", table[i].name);
		add_file(root, "sys/fs/cgroup/pod", name, "0\n");
	}
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		REQUIRE_EQ(cgroup_read_hugetlb(root, table[i].bytes, &g), 0);
		EXPECT_EQ(g.fault.limit, table[i].bytes);
		EXPECT_EQ(g.rsvd.limit, CGROUP_UNLIMITED);
	}
}

TEST(cgroup_v1_and_hybrid_read_the_v1_hierarchy)
{
	static const char groups[] = "5:cpu:/\n4:memory,hugetlb:/pod/box\n1:name=systemd:/x\n0::/other\n";
	static const char mounts[] =
		"31 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		"33 31 0:30 / /sys/fs/cgroup/memory,hugetlb rw - cgroup cgroup rw,memory,hugetlb\n";
	const char *root = make_root(INITIAL, groups, mounts);
	struct cgroup_hugetlb g;

	add_v2(root, "sys/fs/cgroup/unified/other", "0\n", "0\n", "0\n", "0\n");
	add_v1(root, "sys/fs/cgroup/memory,hugetlb", V1_UNLIMITED, "0\n");
	add_v1(root, "sys/fs/cgroup/memory,hugetlb/pod", "4194304\n", "2097152\n");
	add_v1(root, "sys/fs/cgroup/memory,hugetlb/pod/box", V1_UNLIMITED, "0\n");
	add_file(root, "sys/fs/cgroup/memory,hugetlb/pod/box", "hugetlb.2MB.rsvd.limit_in_bytes",
		 "2097152\n");
	add_file(root, "sys/fs/cgroup/memory,hugetlb/pod/box", "hugetlb.2MB.rsvd.usage_in_bytes",
		 "0\n");
	g = read_2m(root);
	EXPECT_TRUE(g.controlled);
	EXPECT_TRUE(g.complete);
	EXPECT_EQ(g.fault.limit, 4 * MIB);
	EXPECT_EQ(g.fault.room, 2 * MIB);
	EXPECT_EQ(g.fault.refused, 7);
	EXPECT_EQ(g.rsvd.limit, 2 * MIB);
	EXPECT_STR_EQ(g.rsvd.path, "/sys/fs/cgroup/memory,hugetlb/pod/box");
}

TEST(cgroup_hybrid_reads_v2_wherever_it_is_mounted)
{
	static const char mounts[] =
		"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		"41 31 0:38 / /odd\\040place rw,relatime - cgroup2 cgroup2 rw\n";
	const char *root = make_root(INITIAL, "1:cpu:/\n0::/pod\n", mounts);
	struct cgroup_hugetlb g;

	add_file(root, "odd place", NULL, NULL);
	add_v2(root, "odd place/pod", "2097152\n", "0\n", "max\n", "0\n");
	g = read_2m(root);
	EXPECT_EQ(g.fault.limit, 2 * MIB);
	EXPECT_TRUE(g.complete);
	EXPECT_STR_EQ(g.fault.path, "/odd place/pod");
}

TEST(cgroup_group_names_may_hold_blanks_and_colons)
{
	const char *root = make_root(INITIAL, "0::/a b:c\n", mount_v2);

	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_v2(root, "sys/fs/cgroup/a b:c", "2097152\n", "0\n", "max\n", "0\n");
	EXPECT_EQ(read_2m(root).fault.limit, 2 * MIB);
	EXPECT_TRUE(read_2m(root).complete);
}

TEST(cgroup_true_root_has_no_limits_even_without_a_mount)
{
	const char *root = make_root(INITIAL, "9:name=systemd:/\n0::/\n", "");
	struct cgroup_hugetlb g = read_2m(root);

	EXPECT_FALSE(g.controlled);
	EXPECT_TRUE(g.complete);
	EXPECT_EQ(g.fault.room, CGROUP_UNLIMITED);
}

/* Inside a namespace "/" is only the namespace's top: its own limits are there. */
TEST(cgroup_namespace_shows_its_top_and_is_not_complete)
{
	const char *root = make_root(INNER, "0::/\n", mount_v2);
	struct cgroup_hugetlb g;

	add_v2(root, "sys/fs/cgroup", "2097152\n", "0\n", "max\n", "0\n");
	g = read_2m(root);
	EXPECT_TRUE(g.controlled);
	EXPECT_FALSE(g.complete);
	EXPECT_EQ(g.fault.limit, 2 * MIB);
	EXPECT_STR_EQ(g.fault.path, "/sys/fs/cgroup");
}

TEST(cgroup_namespace_whose_mount_shows_the_true_root_is_complete)
{
	const char *v2 = make_root(INNER, "0::/\n", mount_v2);
	const char *v1 = make_root(INNER, "3:hugetlb:/pod\n", mount_v1);

	add_file(v2, "sys/fs/cgroup", NULL, NULL);
	EXPECT_TRUE(read_2m(v2).complete);
	add_v1(v1, "sys/fs/cgroup/hugetlb", V1_UNLIMITED, "0\n");
	add_v1(v1, "sys/fs/cgroup/hugetlb/pod", V1_UNLIMITED, "0\n");
	EXPECT_FALSE(read_2m(v1).complete);
	add_file(v1, "sys/fs/cgroup/hugetlb", "release_agent", "\n");
	EXPECT_TRUE(read_2m(v1).complete);
}

TEST(cgroup_paths_out_of_the_namespace_read_only_the_top)
{
	static const struct {
		const char *group, *mount_root;
		uint64_t limit;
	} table[] = {
		{ "/../other", "/", 1 },	/* we are outside the mount */
		{ "/", "/..", 1 },		/* the mount begins above us */
		{ "/", "/../..", 1 },
		{ "/box", "/elsewhere", 1 },
		{ "/box", "/bo", 1 },		/* a prefix, but no ancestor */
		{ "/../../x/box", "/..", 1 },
		{ "/../box", "/..", 2 },	/* through a known ancestor */
		{ "/box", "/", 2 },
		{ "/box/inner", "/box", 1 },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		char groups[100], mounts[200];
		const char *root;
		struct cgroup_hugetlb g;

		snprintf(groups, sizeof(groups), "0::%s\n", table[i].group);
		snprintf(mounts, sizeof(mounts), "31 23 0:28 %s /cg rw - cgroup2 none rw\n",
			 table[i].mount_root);
		root = make_root(INNER, groups, mounts);
		add_v2(root, "cg", "1\n", "0\n", "max\n", "0\n");
		add_v2(root, "cg/box", "2\n", "2\n", "max\n", "0\n");
		/* where a path with dots would lead: another group */
		add_v2(root, "x/box", "0\n", "0\n", "0\n", "0\n");
		add_v2(root, "cg/inner", "max\n", "0\n", "max\n", "0\n");
		g = read_2m(root);
		EXPECT_EQ(g.fault.limit, table[i].limit);
		EXPECT_FALSE(g.complete);
	}
}
