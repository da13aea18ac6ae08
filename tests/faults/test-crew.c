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

#include "tests/faults/crew.h"

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

/* Stopped in the middle, and gone on when the caller has given it up: it asks for nothing again. */
TEST(crew_whose_helper_is_interrupted_does_not_ask_again)
{
	const int again[] = { EINTR, EAGAIN };

	pool_set(PAGE, PAGES);
	for (int i = 0; i < 2; i++) {
		uintptr_t at = map_huge(BYTES, MAP_PRIVATE);

		EXPECT_LT(advise_staged(at, -again[i]), BYTES);
		EXPECT_LE(staged.helped, three.helpers);
		EXPECT_EQ(threads(), 1);
		munmap((void *)at, BYTES);
	}
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
