/* SPDX-License-Identifier: MIT */
/* Processors that may be used, tasks that run, and what groups leave of the time. */
#include <limits.h>

#include "core/facts/cpus.h"
#include "tests/unit/roots-cgroup.h"

static const char *with_status(const char *seccomp, const char *allowed)
{
	const char *root = root_make();
	char text[300];

	snprintf(text, sizeof(text), "Name:\tx\n%sSeccomp_filters:\t7\nCpus_allowed:\tff\n%s%s%s",
		 seccomp, allowed ? "Cpus_allowed_list:\t" : "", allowed ? allowed : "",
		 "\nMems_allowed_list:\t0\n");
	tree_write(root, "proc/thread-self/status", text);
	tree_write(root, "proc/loadavg", "0.20 0.18 0.12 3/412 11206\n");
	tree_write(root, "sys/devices/system/node/online", "0\n");
	return root;
}

TEST(cpus_are_what_the_thread_may_use_and_what_runs)
{
	const char *root = with_status("Seccomp:\t0\n", "0-2,64,8191");
	struct cpus c;

	REQUIRE_EQ(cpus_read(root, &c), 0);
	EXPECT_EQ(c.filtered, false);
	EXPECT_EQ(c.running, 3);
	EXPECT_EQ(c.nodes, 1);
	EXPECT_EQ(cpus_count(&c.allowed), 5);
	EXPECT_TRUE(cpus_has(&c.allowed, 64));
	EXPECT_TRUE(cpus_has(&c.allowed, 8191));
	EXPECT_FALSE(cpus_has(&c.allowed, 3));
	EXPECT_FALSE(cpus_has(&c.allowed, 8192));
	tree_write(root, "sys/devices/system/node/online", "0-1,3\n");
	REQUIRE_EQ(cpus_read(root, &c), 0);
	EXPECT_EQ(c.nodes, 3);
}

TEST(cpus_of_a_filtered_thread_say_so)
{
	struct cpus c;

	REQUIRE_EQ(cpus_read(with_status("Seccomp:\t2\n", "0"), &c), 0);
	EXPECT_EQ(c.filtered, true);
	REQUIRE_EQ(cpus_read(with_status("", "0"), &c), 0);
	EXPECT_EQ(c.filtered, false);
}

TEST(cpus_that_cannot_be_known_are_an_error)
{
	static const char *const lists[] = { NULL, "", "x", "3-1", "0-", "0-8192", "1,,2" };
	struct cpus c = { .running = 77 };
	const char *root;

	for (size_t i = 0; i < COUNT_OF(lists); i++)
		EXPECT_LT(cpus_read(with_status("Seccomp:\t0\n", lists[i]), &c), 0);
	root = with_status("Seccomp:\t0\n", "0-1");
	tree_write(root, "proc/loadavg", "0.20 0.18 0.12\n");
	EXPECT_EQ(cpus_read(root, &c), -EBADMSG);
	tree_write(root, "proc/loadavg", "0.20 0.18 0.12 many/412 1\n");
	EXPECT_EQ(cpus_read(root, &c), -EBADMSG);
	root_remove(root, "proc/loadavg");
	EXPECT_EQ(cpus_read(root, &c), -ENOENT);
	EXPECT_EQ(c.running, 77);
}

TEST(cpus_of_a_node_are_in_its_list)
{
	const char *root = root_make();
	struct cpu_set set;

	tree_write(root, "sys/devices/system/node/node0/cpulist", "0-3,8-11\n");
	tree_write(root, "sys/devices/system/node/node12/cpulist", "\n");
	REQUIRE_EQ(cpus_of_node(root, 0, &set), 0);
	EXPECT_EQ(set.word[0], 0xf0f);
	REQUIRE_EQ(cpus_of_node(root, 12, &set), 0);
	EXPECT_EQ(cpus_count(&set), 0);
	EXPECT_EQ(cpus_of_node(root, 1, &set), -ENOENT);
}

static unsigned quota_of(const char *root)
{
	unsigned quota = 7777;

	REQUIRE_EQ(cpus_quota(root, &quota), 0);
	return quota;
}

TEST(cpus_quota_is_the_least_of_all_groups_above)
{
	const char *root = make_root(INITIAL, "0::/pod/box\n", mount_v2);

	tree_write(root, "proc/cgroups", CGROUPS "cpu\t0\t1\t1\n");
	add_file(root, "sys/fs/cgroup", NULL, NULL);
	add_file(root, "sys/fs/cgroup/pod", "cpu.max", "max 100000\n");
	add_file(root, "sys/fs/cgroup/pod/box", "cpu.max", "max 100000\n");
	EXPECT_EQ(quota_of(root), UINT_MAX);
	add_file(root, "sys/fs/cgroup/pod", "cpu.max", "350000 100000\n");
	EXPECT_EQ(quota_of(root), 3);
	add_file(root, "sys/fs/cgroup/pod/box", "cpu.max", "20000 100000\n");
	EXPECT_EQ(quota_of(root), 0);
	add_file(root, "sys/fs/cgroup/pod/box", "cpu.max", "400000 0\n");
	EXPECT_EQ(quota_of(root), 3);
}

TEST(cpus_quota_of_version_1_groups_is_found)
{
	const char *root = make_root(INITIAL, "4:cpu:/box\n", mount_v1);

	tree_write(root, "proc/cgroups", CGROUPS "cpu\t4\t1\t1\n");
	add_file(root, "sys/fs/cgroup/cpu", NULL, NULL);
	add_file(root, "sys/fs/cgroup/cpu/box", "cpu.cfs_period_us", "50000\n");
	add_file(root, "sys/fs/cgroup/cpu/box", "cpu.cfs_quota_us", "-1\n");
	EXPECT_EQ(quota_of(root), UINT_MAX);
	add_file(root, "sys/fs/cgroup/cpu/box", "cpu.cfs_quota_us", "100000\n");
	EXPECT_EQ(quota_of(root), 2);
}

static int read_all(const char *root)
{
	struct cpu_set set;
	struct cpus c;
	unsigned quota;
	int err = cpus_read(root, &c);

	if (!err)
		err = cpus_of_node(root, 0, &set);
	return err ? err : cpus_quota(root, &quota);
}

TEST(cpus_reading_leaves_nothing_whichever_call_fails)
{
	const char *root = with_status("Seccomp:\t0\n", "0-1");

	tree_write(root, "sys/devices/system/node/node0/cpulist", "0-1\n");
	int err;

	FAILS_EACH_CALL(ENOMEM, err = read_all(root), EXPECT_LE(err, 0), EXPECT_EQ(err, -ENOENT));
}
