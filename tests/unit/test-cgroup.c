/* SPDX-License-Identifier: MIT */
/*
 * The limits above a process, in every way its groups can be shown: v1, v2,
 * both, namespaces, mounts of a part, files missing or odd.
 */
#include "core/facts/cgroup.h"
#include "tests/unit/roots.h"

#define INITIAL "cgroup:[4026531835]"
#define INNER "cgroup:[4026532911]"
#define V1_UNLIMITED "9223372036854771712\n"
#define CGROUPS "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"

static const char mount_v2[] = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
static const char mount_v1[] =
	"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	"33 31 0:30 / /sys/fs/cgroup/hugetlb rw - cgroup cgroup rw,hugetlb\n";

static const char *make_root(const char *namespace, const char *groups, const char *mounts)
{
	const char *root = root_make();

	root_link(root, "proc/self/ns/cgroup", namespace);
	tree_write(root, "proc/self/cgroup", groups);
	tree_write(root, "proc/self/mountinfo", mounts);
	tree_write(root, "proc/cgroups", CGROUPS "memory\t0\t1\t1\nhugetlb\t0\t1\t1\n");
	return root;
}

/* A file of a group; every group has cgroup.procs. */
static void add_file(const char *root, const char *group, const char *name, const char *text)
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
static void add_v2(const char *root, const char *group, const char *max, const char *current,
		   const char *rsvd_max, const char *rsvd_current)
{
	add_file(root, group, "cgroup.type", "domain\n");
	add_file(root, group, "hugetlb.2MB.max", max);
	add_file(root, group, "hugetlb.2MB.current", current);
	add_file(root, group, "hugetlb.2MB.rsvd.max", rsvd_max);
	add_file(root, group, "hugetlb.2MB.rsvd.current", rsvd_current);
	add_file(root, group, "hugetlb.2MB.events", "max 3\n");
}

static void add_v1(const char *root, const char *group, const char *limit, const char *usage)
{
	add_file(root, group, "hugetlb.2MB.limit_in_bytes", limit);
	add_file(root, group, "hugetlb.2MB.usage_in_bytes", usage);
	add_file(root, group, "hugetlb.2MB.failcnt", "7\n");
}

static struct cgroup_hugetlb read_2m(const char *root)
{
	struct cgroup_hugetlb g;

	REQUIRE_EQ(cgroup_read_hugetlb(root, 2 * MIB, &g), 0);
	return g;
}

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
