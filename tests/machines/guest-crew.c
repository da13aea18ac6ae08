/* SPDX-License-Identifier: MIT */
/* Where helpers run, and memory lies, on two nodes (tests/machines/test-machines.sh). */
#include <sched.h>

#include "tests/faults/crew.h"

static unsigned here(void)
{
	unsigned cpu, node = 0;

	REQUIRE_EQ(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
	return node;
}

static long note_place(long nr, const long args[6], bool *ret_handled)
{
	if (nr == SYS_madvise && args[2] == POPULATE_WRITE && syscall(SYS_gettid) != staged.caller)
		staged.places |= 1u << here();
	return stage(nr, args, ret_handled);
}

static size_t pages_on(uintptr_t at, int node)
{
	size_t n = 0;

	for (size_t i = 0; i < PAGES; i++) {
		void *page = (void *)(at + i * PAGE);
		int on = -1;

		syscall(SYS_move_pages, 0, 1, &page, NULL, &on, 0);
		n += on == node;
	}
	return n;
}

static void need_two_nodes(void)
{
	if (access("/sys/devices/system/node/node1", F_OK) != 0)
		SKIP("two nodes");
	if (!machine_runs(tree_make(), 1))
		SKIP("a mount namespace");
	pool_set(PAGE, 0);
	tree_write("", "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "24");
	tree_write("", "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "24");
}

static uintptr_t map_with_policy(int mode, unsigned long nodes)
{
	uintptr_t at = map_huge(BYTES, MAP_PRIVATE);

	REQUIRE_EQ(syscall(SYS_mbind, at, BYTES, mode, &nodes, 64, 0), 0);
	return at;
}

/* The caller may be moved to that node meanwhile, and is alone there then: look again. */
TEST(crew_for_another_node_works_there)
{
	struct crew crew = { 0 };
	unsigned node = 0;
	uintptr_t at = 0;
	size_t done;

	need_two_nodes();
	for (int tries = 0; tries < 1000 && !crew.helpers; tries++) {
		if (at)
			munmap((void *)at, BYTES);
		node = !here();
		at = map_with_policy(2, 1ul << node);	/* MPOL_BIND */
		crew_look(at, BYTES, PAGE, &crew);
	}
	REQUIRE_GE(crew.helpers, 1);
	EXPECT_TRUE(crew.bound);
	EXPECT_EQ(crew.node, node);
	staged.caller = syscall(SYS_gettid);
	sys_set_hook(note_place);
	done = crew_advise(&crew, at, BYTES, PAGE, POPULATE_WRITE);
	sys_set_hook(NULL);
	EXPECT_GT(staged.helped, 0);
	EXPECT_EQ(staged.places, 1u << node);
	EXPECT_EQ(done, BYTES);
	EXPECT_EQ(pages_on(at, (int)node), PAGES);
	munmap((void *)at, BYTES);
}

TEST(crew_for_interleaved_memory_runs_anywhere_and_lays_it_evenly)
{
	struct crew crew;
	uintptr_t at;

	need_two_nodes();
	at = map_with_policy(3, 3);	/* MPOL_INTERLEAVE */
	crew_look(at, BYTES, PAGE, &crew);
	EXPECT_GE(crew.helpers, 1);
	EXPECT_FALSE(crew.bound);
	EXPECT_EQ(advise_staged(at, 0), BYTES);
	EXPECT_EQ(pages_on(at, 0), PAGES / 2);
	EXPECT_EQ(pages_on(at, 1), PAGES / 2);
	munmap((void *)at, BYTES);
}

/* Memory of no policy is local: who is alone on its node has no helper. */
TEST(crew_for_local_memory_stays_on_the_callers_node)
{
	cpu_set_t mine, both;
	struct crew crew;
	uintptr_t at;

	need_two_nodes();
	REQUIRE_EQ(sched_getaffinity(0, sizeof(mine), &mine), 0);
	CPU_ZERO(&both);
	CPU_SET(0, &both);
	CPU_SET((unsigned)CPU_COUNT(&mine) - 1, &both);	/* of the other node */
	REQUIRE_EQ(sched_setaffinity(0, sizeof(both), &both), 0);
	at = map_huge(BYTES, MAP_PRIVATE);
	crew_look(at, BYTES, PAGE, &crew);
	EXPECT_EQ(crew.helpers, 0);
	munmap((void *)at, BYTES);
}
