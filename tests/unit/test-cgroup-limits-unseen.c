/* SPDX-License-Identifier: MIT */
/* What can't be seen of the groups above us: parts, covered mounts, odd files, failing calls, and the charge to memory. */
#include "tests/unit/roots-cgroup.h"

/* A container without a namespace: the group's own path is the mount's root. */
TEST(cgroup_mount_of_a_part_is_read_and_not_complete)
{
	static const char mounts[] =
		"31 23 0:28 /docker/abc\\040d /sys/fs/cgroup/hugetlb ro - cgroup cgroup rw,hugetlb\n";
	const char *root = make_root(INITIAL, "3:hugetlb:/docker/abc d\n", mounts);
	struct cgroup_hugetlb g;

	add_v1(root, "sys/fs/cgroup/hugetlb", "2097152\n", "0\n");
	g = read_2m(root);
	EXPECT_EQ(g.fault.limit, 2 * MIB);
	EXPECT_FALSE(g.complete);
}

TEST(cgroup_of_several_mounts_the_highest_above_us_is_read)
{
	static const char mounts[] =
		"31 23 0:28 /pod /a rw - cgroup2 none rw\n"
		"32 23 0:28 /other /b rw - cgroup2 none rw\n"
		"33 23 0:28 / /c rw - cgroup2 none rw\n"
		"34 23 0:28 /pod/box /d rw - cgroup2 none rw\n"
		"35 23 0:28 / /hidden rw - cgroup2 none rw\n"
		"36 23 0:99 / /hidden rw - tmpfs none rw\n";
	const char *root = make_root(INITIAL, "0::/pod/box\n", mounts);
	struct cgroup_hugetlb g;

	add_file(root, "c", NULL, NULL);
	add_v2(root, "c/pod", "4194304\n", "0\n", "max\n", "0\n");
	add_v2(root, "c/pod/box", "max\n", "0\n", "max\n", "0\n");
	g = read_2m(root);
	EXPECT_STR_EQ(g.fault.path, "/c/pod");
	EXPECT_TRUE(g.complete);
}

TEST(cgroup_mount_covered_by_another_is_not_read)
{
	static const char mounts[] =
		"33 23 0:28 / /cg rw - cgroup2 none rw\n"
		"34 33 0:28 /pod /cg rw - cgroup2 none rw\n";
	const char *root = make_root(INITIAL, "0::/pod\n", mounts);
	struct cgroup_hugetlb g;

	add_v2(root, "cg", "4194304\n", "0\n", "max\n", "0\n");
	add_v2(root, "cg/pod", "0\n", "0\n", "max\n", "0\n");	/* /pod/pod: not ours */
	g = read_2m(root);
	EXPECT_EQ(g.fault.limit, 4 * MIB);
	EXPECT_FALSE(g.complete);
}

TEST(cgroup_level_out_of_sight_is_not_complete)
{
	const char *root = make_root(INITIAL, "0::/pod/box\n", mount_v2);

	/* pod is hidden: no cgroup.procs, although box below can be read. */
	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_v2(root, "sys/fs/cgroup/pod/box", "4194304\n", "0\n", "max\n", "0\n");
	EXPECT_FALSE(read_2m(root).complete);
	EXPECT_EQ(read_2m(root).fault.limit, 4 * MIB);
	add_file(root, "sys/fs/cgroup/pod", NULL, NULL);
	EXPECT_TRUE(read_2m(root).complete);
}

TEST(cgroup_odd_limit_is_no_limit_and_not_complete)
{
	static const char *const odd[] = { "", "\n", "none\n", "-1\n", "4M\n", "max max\n" };

	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		const char *root = make_root(INITIAL, "0::/pod\n", mount_v2);
		struct cgroup_hugetlb g;

		add_file(root, "sys/fs/cgroup", NULL, NULL);
		add_v2(root, "sys/fs/cgroup/pod", odd[i], "0\n", "max\n", "0\n");
		g = read_2m(root);
		EXPECT_EQ(g.fault.limit, CGROUP_UNLIMITED);
		EXPECT_FALSE(g.complete);
	}
}

TEST(cgroup_usage_that_cannot_be_read_is_not_guessed)
{
	const char *root = make_root(INITIAL, "0::/pod\n", mount_v2);
	struct cgroup_hugetlb g = { .fault = { .limit = 77 } };

	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_file(root, "sys/fs/cgroup/pod", "hugetlb.2MB.max", "4194304\n");
	EXPECT_EQ(cgroup_read_hugetlb(root, 2 * MIB, &g), -ENOENT);
	add_file(root, "sys/fs/cgroup/pod", "hugetlb.2MB.current", "?\n");
	EXPECT_EQ(cgroup_read_hugetlb(root, 2 * MIB, &g), -EBADMSG);
	EXPECT_EQ(g.fault.limit, 77);
}

TEST(cgroup_kernel_without_the_controller_is_complete)
{
	static const struct {
		const char *cgroups;
		bool complete;
	} table[] = {
		{ CGROUPS "cpu\t0\t1\t1\n", true },
		{ CGROUPS "hugetlb\t0\t1\t0\n", true },
		{ CGROUPS "hugetlb\t0\t1\t1\n", false },
		{ CGROUPS "hugetlb\n", false },
		{ CGROUPS "cpu\t0\t1", false },	/* cut short */
		{ "", false },
		{ "cpu\t0\t1\t1\n", false },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *root = make_root(INNER, "0::/pod\n", "");
		struct cgroup_hugetlb g;

		tree_write(root, "proc/cgroups", table[i].cgroups);
		g = read_2m(root);
		EXPECT_EQ(g.complete, table[i].complete);
		EXPECT_FALSE(g.controlled);
	}
}

TEST(cgroup_hidden_proc_says_why)
{
	const char *root = root_make();
	struct cgroup_hugetlb g = { .fault = { .limit = 77 } };
	bool charged = true;

	EXPECT_EQ(cgroup_read_hugetlb(root, 2 * MIB, &g), -ENOENT);
	EXPECT_EQ(cgroup_charges_memory(root, &charged), -ENOENT);
	tree_write(root, "proc/self/cgroup", "0::/\n");
	EXPECT_EQ(cgroup_read_hugetlb(root, 2 * MIB, &g), -ENOENT);
	EXPECT_EQ(g.fault.limit, 77);
	EXPECT_TRUE(charged);
}

TEST(cgroup_odd_or_cut_files_are_never_complete)
{
	static const char *const groups[] = { "", "\n", "0::", "0::\n", "0::pod\n", "x\n",
					      "0::/pod", "1:cpu:/\n" };
	static const char *const mounts[] = {
		"", "\n", "31 23 0:28\n", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2\n",
		"31 23 0:28 / /sys/fs/cgroup rw shared:1 cgroup2 none rw\n",
		"31 23 0:28 / relative rw - cgroup2 none rw\n",
		"31 23 0:28 / /sys/fs/cgroup rw - cgroup2 none rw",
	};

	for (size_t i = 0; i < COUNT_OF(groups); i++) {
		const char *root = make_root(INITIAL, groups[i], mount_v2);

		add_file(root, "sys/fs/cgroup", NULL, NULL);
		add_v2(root, "sys/fs/cgroup/pod", "max\n", "0\n", "max\n", "0\n");
		EXPECT_FALSE(read_2m(root).complete);
	}
	for (size_t i = 0; i < COUNT_OF(mounts); i++) {
		const char *root = make_root(INITIAL, "0::/pod\n", mounts[i]);

		add_file(root, "sys/fs/cgroup", NULL, NULL);
		add_v2(root, "sys/fs/cgroup/pod", "max\n", "0\n", "max\n", "0\n");
		EXPECT_FALSE(read_2m(root).complete);
	}
}

TEST(cgroup_mount_line_of_64_kib_hides_nothing)
{
	const size_t bytes = 64 * 1024;
	char *mounts = malloc(bytes + 1000);
	const char *root;

	strcpy(mounts, "30 23 0:27 / /var/overlay rw - overlay overlay rw,lowerdir=");
	size_t at = strlen(mounts);

	memset(mounts + at, 'x', bytes);
	strcpy(mounts + at + bytes, "\n");
	strcat(mounts, mount_v2);
	root = make_root(INITIAL, "0::/pod\n", mounts);
	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_v2(root, "sys/fs/cgroup/pod", "4194304\n", "0\n", "max\n", "0\n");
	EXPECT_EQ(read_2m(root).fault.limit, 4 * MIB);
	EXPECT_TRUE(read_2m(root).complete);
	free(mounts);
}

TEST(cgroup_path_longer_than_shown_loses_no_limit)
{
	char name[200], groups[600], group[600];
	const char *root;
	struct cgroup_hugetlb g;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(groups, sizeof(groups), "0::/%s/%s\n", name, name);
	root = make_root(INITIAL, groups, mount_v2);
	add_file(root, "sys/fs/cgroup", NULL, NULL);
	snprintf(group, sizeof(group), "sys/fs/cgroup/%s", name);
	add_file(root, group, NULL, NULL);
	snprintf(group, sizeof(group), "sys/fs/cgroup/%s/%s", name, name);
	add_v2(root, group, "4194304\n", "0\n", "max\n", "0\n");
	g = read_2m(root);
	EXPECT_EQ(g.fault.limit, 4 * MIB);
	EXPECT_EQ(strlen(g.fault.path), CGROUP_PATH_SHOWN - 1);
	EXPECT_TRUE(g.complete);
}

/* An error, or the limit, or the admission that something was not seen. */
TEST(cgroup_is_true_or_an_error_whichever_call_fails)
{
	static const int errors[] = { ENOMEM, EIO, EACCES, EMFILE };
	const char *root = make_root(INNER, "0::/pod/box\n", mount_v2);
	struct cgroup_hugetlb g;
	int err;

	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_v2(root, "sys/fs/cgroup/pod", "8388608\n", "6291456\n", "max\n", "0\n");
	add_v2(root, "sys/fs/cgroup/pod/box", "max\n", "0\n", "4194304\n", "0\n");
	for (size_t e = 0; e < COUNT_OF(errors); e++)
		FAILS_EACH_CALL(errors[e], err = cgroup_read_hugetlb(root, 2 * MIB, &g),
				{
					if (err == 0 && g.complete) {
						EXPECT_EQ(g.fault.room, 2 * MIB);
						EXPECT_EQ(g.rsvd.room, 4 * MIB);
					} else if (err) {
						EXPECT_TRUE(err == -ENOMEM || err == -errors[e]);
					}
				},
				{
					EXPECT_EQ(err, 0);
					EXPECT_TRUE(g.complete);
				});
}

TEST(cgroup_charges_memory_needs_the_option_and_a_limit)
{
	static const char with[] =
		"31 23 0:28 / /cg rw - cgroup2 none rw,nsdelegate,memory_hugetlb_accounting\n";
	static const char without[] = "31 23 0:28 / /cg rw - cgroup2 none rw,nsdelegate\n";
	static const struct {
		const char *namespace, *groups, *mounts, *limit;
		bool charged;
	} table[] = {
		{ INITIAL, "0::/pod\n", with, "1048576\n", true },
		{ INITIAL, "0::/pod\n", with, "max\n", false },
		{ INITIAL, "0::/pod\n", with, "odd\n", true },
		{ INITIAL, "0::/pod/hidden/box\n", with, "max\n", true },
		{ INNER, "0::/pod\n", with, "max\n", false },	/* the top is the true root */
		{ INITIAL, "0::/pod\n", without, "1048576\n", false },
		{ INITIAL, "4:memory:/pod\n0::/pod\n", with, "1048576\n", false },
		{ INITIAL, "0::/\n", with, "1048576\n", false },
		{ INITIAL, "0::/pod\n", "", "1048576\n", false },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *root = make_root(table[i].namespace, table[i].groups, table[i].mounts);
		bool charged = !table[i].charged;

		add_file(root, "cg", NULL, NULL);
		add_file(root, "cg/pod", "memory.max", table[i].limit);
		REQUIRE_EQ(cgroup_charges_memory(root, &charged), 0);
		EXPECT_EQ(charged, table[i].charged);
	}
}

TEST(cgroup_charges_memory_is_true_or_an_error_whichever_call_fails)
{
	const char *root = make_root(INITIAL, "0::/pod\n",
				     "31 23 0:28 / /cg rw - cgroup2 none rw,"
				     "memory_hugetlb_accounting\n");
	bool charged;
	int err;

	add_file(root, "cg", NULL, NULL);
	add_file(root, "cg/pod", "memory.max", "1048576\n");
	FAILS_EACH_CALL(EIO, err = cgroup_charges_memory(root, &charged),
			EXPECT_TRUE(err || charged), EXPECT_TRUE(!err && charged));
}

TEST(cgroup_of_this_process_can_be_read)
{
	struct cgroup_hugetlb g;
	bool charged;

	REQUIRE_EQ(cgroup_read_hugetlb("", 2 * MIB, &g), 0);
	REQUIRE_EQ(cgroup_charges_memory("", &charged), 0);
	EXPECT_LE(g.fault.room, g.fault.limit);
}
