/* SPDX-License-Identifier: MIT */
/*
 * Memory that several threads of ours populate is what one would have made of it: whole, or the
 * same pages from the front and nothing behind, whichever call fails and wherever a
 * thread can't be had.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "core/act/backing.h"
#include "core/act/crew.h"
#include "core/base/mem.h"
#include "tests/faults/held.h"
#include "tests/harness/idle.h"
#include "tests/harness/tree.h"

#define POPULATE_WRITE 23
#define PAGES 24
#define BYTES (PAGES * PAGE)

static const struct crew three = { .helpers = 3 };

static uintptr_t map_huge(size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes, RW, MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE | flags, -1, 0);

	if (at == MAP_FAILED)
		SKIP("huge pages");
	return (uintptr_t)at;
}

/* Helpers know nothing of libc: the bare call. */
static void nap(void)
{
	syscall(SYS_nanosleep, &(struct timespec){ 0, 1000000 }, NULL);
}

static size_t present_any(uintptr_t at, size_t bytes)
{
	size_t all = 0;

	for (size_t i = 0; i < bytes / PAGE; i++)
		all += mem_is_present(at + i * PAGE);
	return all;
}

/* Pages that are there, from the first on; behind the first that is not there must be none. */
static size_t present(uintptr_t at, size_t bytes)
{
	size_t front = 0;

	while (front < bytes / PAGE && mem_is_present(at + front * PAGE))
		front++;
	EXPECT_EQ(present_any(at, bytes), front);
	return front;
}

static unsigned threads(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[200];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %u", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* The caller waits at its first piece until a helper has done one, for as long as that takes. */
static struct {
	long caller;
	_Atomic unsigned helped;
	long fail_with;		/* what a helper's piece is answered with; 0: done */
	_Atomic unsigned places;	/* nodes where helpers ran */
} staged;

static long stage(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_madvise || args[2] != POPULATE_WRITE)
		return 0;
	if (syscall(SYS_gettid) == staged.caller) {
		for (int ms = 0; !staged.helped && ms < 30000; ms++)
			nap();
		return 0;
	}
	if (!staged.fail_with)
		syscall(SYS_madvise, args[0], args[1], args[2]);
	staged.helped++;
	*ret_handled = true;
	return staged.fail_with;
}

static size_t advise_staged(uintptr_t at, long fail_with)
{
	size_t done;

	staged.caller = syscall(SYS_gettid);
	staged.helped = 0;
	staged.fail_with = fail_with;
	sys_set_hook(stage);
	done = crew_advise(&three, at, BYTES, PAGE, POPULATE_WRITE);
	sys_set_hook(NULL);
	return done;
}

TEST(crew_shares_the_work_and_is_gone)
{
	uintptr_t at;

	pool_set(PAGE, PAGES);
	at = map_huge(BYTES, MAP_PRIVATE);
	EXPECT_EQ(advise_staged(at, 0), BYTES);
	EXPECT_GT(staged.helped, 0);
	EXPECT_EQ(threads(), 1);
	EXPECT_EQ(present(at, BYTES), PAGES);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_TRUE(is_zero((void *)at, BYTES));
	munmap((void *)at, BYTES);
}

TEST(crew_whose_helpers_fail_leaves_the_rest_to_the_caller)
{
	uintptr_t at;

	pool_set(PAGE, PAGES);
	at = map_huge(BYTES, MAP_PRIVATE);
	EXPECT_LT(advise_staged(at, -EFAULT), BYTES);
	EXPECT_EQ(threads(), 1);
	munmap((void *)at, BYTES);
}

/* Of a pool that is short, the pages that came lie at the front, as many as there were. */
static void populate_short(int flags)
{
	const struct backing how = { .page_bytes = PAGE, .prot = RW, .shared = flags == MAP_SHARED };
	const size_t had = PAGES - 5;
	uintptr_t at;

	if (!machine_runs(tree_make(), 1))
		SKIP("a mount namespace");
	pool_set(PAGE, had);
	for (int round = 0; round < 20; round++) {
		at = map_huge(BYTES, flags);
		EXPECT_EQ(backing_fill(&how, at, PAGES), had);
		EXPECT_EQ(pool_free(PAGE), 0);
		EXPECT_EQ(present(at, BYTES), had);
		EXPECT_EQ(munmap((void *)at, BYTES), 0);
		EXPECT_EQ(pool_free(PAGE), had);
	}
}

TEST(populate_with_a_crew_of_private_memory_keeps_the_front) { populate_short(MAP_PRIVATE); }
TEST(populate_with_a_crew_of_shared_memory_keeps_the_front) { populate_short(MAP_SHARED); }

/* Of memory that may be others' already nothing is given back, and no hole is taken for a page. */
TEST(populate_with_a_crew_of_known_memory_counts_the_front_alone)
{
	const size_t had = PAGES - 5;
	uintptr_t at;

	if (!machine_runs(tree_make(), 1))
		SKIP("a mount namespace");
	pool_set(PAGE, had);
	for (int round = 0; round < 20; round++) {
		size_t front;

		at = map_huge(BYTES, MAP_SHARED);
		front = backing_populate(at, PAGES, PAGE);
		EXPECT_LE(front, had);
		EXPECT_EQ(pool_free(PAGE), 0);
		for (size_t i = 0; i < front; i++)
			EXPECT_TRUE(mem_is_present(at + i * PAGE));
		EXPECT_EQ(munmap((void *)at, BYTES), 0);
	}
}

/* Helpers' calls are counted too, so which one is the n-th differs; what comes of it must not. */
static void advise_failing(int err)
{
	int nth = 0;

	for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
		const struct held before = held_now();
		uintptr_t at = map_huge(BYTES, MAP_PRIVATE);
		size_t done;

		faults_arm(++nth, err);
		done = crew_advise(&three, at, BYTES, PAGE, POPULATE_WRITE);
		fired = faults_fired();
		EXPECT_LE(done, BYTES);
		EXPECT_EQ(done % PAGE, 0);
		EXPECT_GE(present_any(at, BYTES), done / PAGE);
		if (!fired)
			EXPECT_EQ(done, BYTES);
		EXPECT_EQ(threads(), 1);
		munmap((void *)at, BYTES);
		held_expect(&before, "crew_advise", nth, err);
	}
	EXPECT_GT(nth, 1);
	EXPECT_LT(nth, HELD_CALLS_MOST);
}

TEST(crew_is_gone_whichever_call_fails)
{
	pool_set(PAGE, PAGES);
	HELD_EACH_ERRNO(err)
		advise_failing(err);
}

static unsigned helpers_for(size_t bytes)
{
	struct crew crew;

	crew_look(0, bytes, PAGE, &crew);
	return crew.helpers;
}

static unsigned processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 0;
}

static void need_idle(unsigned running)
{
	if (access("/sys/devices/system/node/node1", F_OK) == 0)
		SKIP("a machine of one node");
	if (processors() < 2)
		SKIP("two processors");
	if (!machine_runs(tree_make(), running))
		SKIP("a mount namespace");
}

TEST(crew_is_as_many_as_processors_are_idle_and_pages_are_worth)
{
	need_idle(1);
	EXPECT_EQ(helpers_for(16 * MIB), 0);
	EXPECT_EQ(helpers_for(32 * MIB), 1);
	EXPECT_LE(helpers_for(GIB), processors() - 1);
	EXPECT_GE(helpers_for(GIB), 1);
}

TEST(crew_is_none_where_all_processors_have_work)
{
	need_idle(processors());
	EXPECT_EQ(helpers_for(GIB), 0);
}

TEST(crew_is_none_on_one_processor)
{
	cpu_set_t one;

	need_idle(1);
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	REQUIRE_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	EXPECT_EQ(helpers_for(GIB), 0);
}

TEST(crew_is_none_beside_a_real_time_thread)
{
	const struct sched_param param = { .sched_priority = 1 };

	need_idle(1);
	if (sched_setscheduler(0, SCHED_FIFO, &param) != 0)
		SKIP("the right to real-time scheduling");
	EXPECT_EQ(helpers_for(GIB), 0);
}

static void forbid_clone(unsigned action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
		SKIP("seccomp filters");
}

TEST(crew_is_none_behind_a_filter_that_may_kill)
{
	need_idle(1);
	forbid_clone(SECCOMP_RET_KILL_PROCESS);
	EXPECT_EQ(helpers_for(GIB), 0);
}

/* As under RLIMIT_NPROC or pids.max. */
TEST(crew_that_cannot_be_had_is_done_without)
{
	uintptr_t at;

	pool_set(PAGE, PAGES);
	at = map_huge(BYTES, MAP_PRIVATE);
	forbid_clone(SECCOMP_RET_ERRNO | EAGAIN);
	EXPECT_EQ(crew_advise(&three, at, BYTES, PAGE, POPULATE_WRITE), 0);
	EXPECT_EQ(backing_populate(at, PAGES, PAGE), PAGES);
	munmap((void *)at, BYTES);
}

static _Atomic bool stop;

static long get_stuck(long nr, const long args[6], bool *ret_handled)
{
	(void)ret_handled;
	if (nr == SYS_madvise && args[2] == POPULATE_WRITE && syscall(SYS_gettid) != staged.caller) {
		staged.helped++;
		while (!stop)
			nap();
	} else if (nr == SYS_madvise && args[2] == POPULATE_WRITE) {
		for (int ms = 0; !staged.helped && ms < 30000; ms++)
			nap();
	}
	return 0;
}

/* As by a debugger. The caller has what it wants long before the helper goes on. */
TEST(crew_whose_helper_is_stopped_keeps_nobody)
{
	uintptr_t at;
	size_t done;

	pool_set(PAGE, PAGES);
	at = map_huge(BYTES, MAP_PRIVATE);
	staged.caller = syscall(SYS_gettid);
	sys_set_hook(get_stuck);
	done = crew_advise(&(struct crew){ .helpers = 1 }, at, BYTES, PAGE, POPULATE_WRITE);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(syscall(SYS_madvise, at, BYTES, POPULATE_WRITE), 0);
	EXPECT_EQ(threads(), 2);
	stop = true;
	while (threads() > 1)
		nap();
	sys_set_hook(NULL);
	munmap((void *)at, BYTES);
}

/* Two nodes with a processor each (tests/machines/test-machines.sh runs these there). */
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
