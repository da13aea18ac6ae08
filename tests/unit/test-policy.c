/* SPDX-License-Identifier: MIT */
/* What narrows a thread's nodes, and who may have huge segments. */
#include <linux/mempolicy.h>

#include "core/base/sys.h"
#include "core/facts/policy.h"
#include "tests/unit/roots.h"

static struct {
	long result;
	int mode;
	uint64_t nodes;
} told;

static long tell_mempolicy(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_get_mempolicy)
		return 0;
	*ret_handled = true;
	if (told.result == 0) {
		*(int *)args[0] = told.mode;
		*(uint64_t *)args[1] = told.nodes;
	}
	return told.result;
}

/* NULL leaves a file out. */
static const char *make_root(const char *mems_allowed, const char *has_memory)
{
	const char *root = root_make();
	char status[300];

	if (mems_allowed) {
		snprintf(status, sizeof(status), "Name:\tx\nMems_allowed:\tf\n"
						 "Mems_allowed_list:\t%s\n", mems_allowed);
		tree_write(root, "proc/self/status", status);
	}
	if (has_memory)
		tree_write(root, "sys/devices/system/node/has_memory", has_memory);
	return root;
}

TEST(policy_narrows_only_what_keeps_us_off_memory)
{
	static const struct {
		const char *mems_allowed, *has_memory;
		long result;
		int mode;
		uint64_t bound;
		bool narrowed;
		unsigned nodes;
		uint64_t allowed;
	} table[] = {
		{ "0-1", "0-1\n", 0, MPOL_DEFAULT, 0, false, 2, 3 },
		{ "0-127", "0-1,3\n", 0, MPOL_DEFAULT, 0, false, 3, 11 },
		{ "1", "0-1\n", 0, MPOL_DEFAULT, 0, true, 2, 2 },
		{ "0-1", "0-1\n", 0, MPOL_BIND, 1, true, 2, 1 },
		{ "0-1", "0-1\n", 0, MPOL_BIND, 3, false, 2, 3 },
		{ "0-1", "0-1\n", 0, MPOL_BIND | MPOL_F_STATIC_NODES, 1, true, 2, 1 },
		{ "0-1", "0-1\n", 0, MPOL_BIND | MPOL_F_RELATIVE_NODES, 3, true, 2, 3 },
		{ "0-1", "0-1\n", 0, MPOL_INTERLEAVE, 1, false, 2, 3 },
		{ "0-1", "0-1\n", 0, MPOL_PREFERRED, 1, false, 2, 3 },
		/* one node with memory: nothing can narrow, whatever is refused */
		{ "0", "0\n", -EPERM, 0, 0, false, 1, 1 },
		{ NULL, "0\n", -EPERM, 0, 0, false, 1, 1 },
		{ "0-3", "2\n", 0, MPOL_BIND, 4, false, 1, 4 },
		/* what can't be read */
		{ "0-1", "0-1\n", -EPERM, 0, 0, true, 2, 3 },
		{ "0-1", "0-1\n", -ENOSYS, 0, 0, true, 2, 3 },
		{ NULL, "0-1\n", 0, MPOL_DEFAULT, 0, true, 2, 3 },
		{ "0", NULL, 0, MPOL_DEFAULT, 0, true, 1, 1 },
		{ "0", "", 0, MPOL_DEFAULT, 0, true, 1, 1 },
		{ "0", "x\n", 0, MPOL_DEFAULT, 0, true, 1, 1 },
		{ "0", "1-0\n", 0, MPOL_DEFAULT, 0, true, 1, 1 },
		{ "0", "0-1024\n", 0, MPOL_DEFAULT, 0, true, 1, 1 },
		{ "0", "0-1-2\n", 0, MPOL_DEFAULT, 0, true, 1, 1 },
		{ "", "0-1\n", 0, MPOL_DEFAULT, 0, true, 2, 3 },
		/* a kernel without NUMA */
		{ "0", NULL, -ENOSYS, 0, 0, false, 1, 1 },
		{ NULL, NULL, -ENOSYS, 0, 0, false, 1, 1 },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *root = make_root(table[i].mems_allowed, table[i].has_memory);
		struct policy p;

		told.result = table[i].result;
		told.mode = table[i].mode;
		told.nodes = table[i].bound;
		sys_set_hook(tell_mempolicy);
		EXPECT_EQ(policy_read(root, &p), 0);
		sys_set_hook(NULL);
		EXPECT_EQ(p.narrowed, table[i].narrowed);
		EXPECT_EQ(p.nodes_online, table[i].nodes);
		EXPECT_EQ(p.nodes_allowed[0], table[i].allowed);
		EXPECT_EQ(p.nodes_allowed[15], 0);
		if (table[i].result == 0)
			EXPECT_EQ(p.mode, table[i].mode & 0xff);
	}
}

TEST(policy_of_this_thread_counts_and_not_the_first_ones)
{
	const char *root = make_root("0-1", "0-1\n");
	struct policy p;

	tree_write(root, "proc/thread-self/status", "Mems_allowed_list:\t1\n");
	told.result = 0;
	sys_set_hook(tell_mempolicy);
	EXPECT_EQ(policy_read(root, &p), 0);
	sys_set_hook(NULL);
	EXPECT_TRUE(p.narrowed);
}

TEST(policy_knows_node_1023)
{
	const char *root = make_root("0,1023", "0,1023\n");
	struct policy p;

	told.result = 0;
	sys_set_hook(tell_mempolicy);
	EXPECT_EQ(policy_read(root, &p), 0);
	sys_set_hook(NULL);
	EXPECT_FALSE(p.narrowed);
	EXPECT_EQ(p.nodes_allowed[15], UINT64_C(1) << 63);
}

/* Two nodes with memory: what was not seen must count as narrowed. */
TEST(policy_is_true_or_an_error_whichever_call_fails)
{
	static const int errors[] = { ENOMEM, EIO, EPERM };
	const char *root = make_root("0", "0-1\n");
	struct policy p;
	int err;

	for (size_t e = 0; e < COUNT_OF(errors); e++)
		FAILS_EACH_CALL(errors[e], err = policy_read(root, &p),
				{
					if (err)
						EXPECT_EQ(err, -ENOMEM);
					else
						EXPECT_TRUE(p.narrowed);
				},
				EXPECT_TRUE(!err && p.narrowed));
}

#define IPC_LOCK "CapEff:\t0000000000004000\n"
#define NO_CAPS "CapEff:\t000001ffffffbfff\n"
#define IN_FIRST "user:[4026531837]"

TEST(policy_may_shm_is_the_kernels_rule)
{
	static const struct {
		const char *namespace, *status, *group;
		int err;
		bool may;
	} table[] = {
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\t\n" IPC_LOCK, "0\n", 0, true },
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\t\n" NO_CAPS, "0\n", 0, false },
		{ IN_FIRST, "Gid:\t5\t5\t5\t0\nGroups:\t\n" NO_CAPS, "0\n", 0, true },
		{ IN_FIRST, "Gid:\t0\t0\t0\t5\nGroups:\t\n" NO_CAPS, "0\n", 0, false },
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\t1 77 8 \n" NO_CAPS, "77\n", 0, true },
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\t1 7 8 \n" NO_CAPS, "77\n", 0, false },
		{ NULL, "Gid:\t5\t5\t5\t5\nGroups:\t\n" IPC_LOCK, "0\n", 0, true },
		/* capabilities of another user namespace do not count */
		{ "user:[4026532000]", "Gid:\t0\t0\t0\t0\nGroups:\t0\n" IPC_LOCK, "0\n", 0, false },
		{ IN_FIRST, NULL, "0\n", -ENOENT, false },
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\t\n" IPC_LOCK, NULL, -ENOENT, false },
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\t\n" IPC_LOCK, "x\n", -EBADMSG, false },
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\t\n", "0\n", -ENOENT, false },
		{ IN_FIRST, "Gid:\t5\nGroups:\t\n" NO_CAPS, "0\n", -EBADMSG, false },
		{ IN_FIRST, "Gid:\t5\t5\t5\t5\nGroups:\tx\n" NO_CAPS, "0\n", -EBADMSG, false },
		{ IN_FIRST, "CapEff:\tzz\n", "0\n", -EBADMSG, false },
		{ IN_FIRST, "CapEff:\t\n", "0\n", -EBADMSG, false },
		{ IN_FIRST, "CapEff:\t00000000000040", "0\n", -ENOENT, false },	/* cut short */
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *root = root_make();
		bool may = true;

		if (table[i].namespace)
			root_link(root, "proc/self/ns/user", table[i].namespace);
		if (table[i].status)
			tree_write(root, "proc/self/status", table[i].status);
		if (table[i].group)
			tree_write(root, "proc/sys/vm/hugetlb_shm_group", table[i].group);
		EXPECT_EQ(policy_may_shm_hugetlb(root, &may), table[i].err);
		EXPECT_EQ(may, table[i].err ? true : table[i].may);
	}
}

TEST(policy_may_shm_is_true_or_an_error_whichever_call_fails)
{
	const char *root = root_make();
	bool may;
	int err;

	root_link(root, "proc/self/ns/user", IN_FIRST);
	tree_write(root, "proc/self/status", "Gid:\t5\t5\t5\t5\nGroups:\t77\n" NO_CAPS);
	tree_write(root, "proc/sys/vm/hugetlb_shm_group", "77\n");
	FAILS_EACH_CALL(EIO, err = policy_may_shm_hugetlb(root, &may), EXPECT_TRUE(err || may),
			EXPECT_TRUE(!err && may));
}

TEST(policy_of_this_machine_can_be_read)
{
	struct policy p;
	bool may;

	REQUIRE_EQ(policy_read("", &p), 0);
	EXPECT_GE(p.nodes_online, 1);
	EXPECT_EQ(policy_may_shm_hugetlb("", &may), 0);
}
