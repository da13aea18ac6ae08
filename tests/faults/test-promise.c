/* SPDX-License-Identifier: MIT */
/*
 * Promises of pages: added up, forgotten with their descriptors, kept below the
 * limits of groups, refused when an account can't be kept.
 */
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#include "core/act/ledger.h"
#include "core/act/promise.h"
#include "core/act/turn.h"
#include "core/base/sys.h"
#include "core/stake.h"
#include "tests/harness/faults.h"
#undef KIB
#undef MIB
#undef GIB
#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)

TEST(ledger_adds_promises_and_forgets_them_with_their_descriptor)
{
	uint64_t before;
	int a, b, c;

	pool_set(PAGE, 0);
	before = promise_pages(PAGE);
	a = turn_open(PAGE);
	b = turn_open(PAGE);
	c = turn_open(PAGE);
	REQUIRE_EQ(ledger_promise(a, 5, before + 100), 0);
	REQUIRE_EQ(ledger_promise(b, 7, before + 100), 0);
	EXPECT_EQ(promise_pages(PAGE), before + 12);
	EXPECT_EQ(ledger_promise(c, 89, before + 100), -ENOSPC);
	close(a);
	EXPECT_EQ(promise_pages(PAGE), before + 7);
	REQUIRE_EQ(ledger_promise(c, 93, before + 100), 0);
	EXPECT_EQ(promise_pages(PAGE), before + 100);
	EXPECT_EQ(promise_leaves(-1, PAGE, 3), 3);
	close(b);
	close(c);
	EXPECT_EQ(promise_pages(PAGE), before);
}

/* Far more than programs usually have: all of them count. */
TEST(ledger_adds_a_hundred_promises)
{
	uint64_t before;
	int fd[100];

	pool_set(PAGE, 0);
	before = promise_pages(PAGE);
	for (int i = 0; i < 100; i++) {
		fd[i] = turn_open(PAGE);
		REQUIRE_EQ(ledger_promise(fd[i], i + 1, UINT32_MAX), 0);
	}
	EXPECT_EQ(promise_pages(PAGE), before + 5050);
	for (int i = 0; i < 100; i += 2)
		close(fd[i]);
	EXPECT_EQ(promise_pages(PAGE), before + 2550);
	for (int i = 1; i < 100; i += 2)
		close(fd[i]);
}

static size_t left(size_t want)
{
	int fd = turn_open(PAGE);
	size_t pages = promise_leaves(fd, PAGE, want);

	close(fd);
	return pages;
}

TEST(promise_leaves_what_the_pool_has_beyond_it)
{
	struct promise p = { 0 };

	pool_set(PAGE, 10);
	EXPECT_EQ(left(20), 20);
	REQUIRE_TRUE(promise_add(&p, PAGE, 4, 10));
	EXPECT_EQ(left(20), 6);
	EXPECT_EQ(left(5), 5);
	promise_end(&p);
	EXPECT_EQ(left(20), 20);
}

/* Outside of the group its limit is nobody's concern; inside, both accounts bind. */
TEST(promise_below_a_limit_binds_only_those_below_it)
{
	struct promise p = { 0 }, q = { 0 };

	pool_set(PAGE, 20);
	cgroup_make("pod/a");
	cgroup_limit_fault("pod", PAGE, 6 * PAGE);
	cgroup_join("pod/a", 0);
	EXPECT_FALSE(promise_add(&q, PAGE, 7, 20));
	promise_end(&q);
	REQUIRE_TRUE(promise_add(&p, PAGE, 4, 20));
	EXPECT_EQ(left(20), 2);
	EXPECT_FALSE(promise_add(&q, PAGE, 3, 20));
	promise_end(&q);
	cgroup_make("other");
	cgroup_join("other", 0);
	EXPECT_EQ(left(20), 16);
	REQUIRE_TRUE(promise_add(&q, PAGE, 7, 20));
	EXPECT_EQ(left(20), 9);
	promise_end(&q);
	promise_end(&p);
}

/* Memory that owns no reservation is charged to the reservation limit when it is touched. */
TEST(promise_is_refused_beyond_a_reservation_limit)
{
	struct promise p = { 0 };

	pool_set(PAGE, 20);
	cgroup_make("pod");
	cgroup_limit_rsvd("pod", PAGE, 3 * PAGE);
	cgroup_join("pod", 0);
	EXPECT_FALSE(promise_add(&p, PAGE, 4, 20));
	promise_end(&p);
	EXPECT_TRUE(promise_add(&p, PAGE, 3, 20));
	promise_end(&p);
}

static long slept_ns;

static long count_sleep(long nr, const long args[6], bool *ret_handled)
{
	const struct timespec *span = (const struct timespec *)args[0];

	(void)ret_handled;
	if (nr == SYS_nanosleep)
		slept_ns += span->tv_sec * 1000000000L + span->tv_nsec;
	return 0;
}

/* A process that populates much, or was stopped while it did, keeps its turn. */
TEST(stake_of_a_fork_waits_for_a_turn_for_a_moment_only)
{
	const struct stake s = { .bytes = PAGE, .n = 1, .of = { { PAGE, 1 } } };
	struct promise p = { 0 };
	int kept;

	pool_set(2 * MIB, 4);
	kept = turn_open(PAGE);
	REQUIRE_EQ(flock(kept, LOCK_SH), 0);
	sys_set_hook(count_sleep);
	EXPECT_TRUE(stake_promise(&s, &p));
	sys_set_hook(NULL);
	EXPECT_GT(slept_ns, 1000000);
	EXPECT_LT(slept_ns, 100000000);
	promise_end(&p);
	close(kept);
}

TEST(promise_that_fails_anywhere_leaves_no_descriptor_and_no_promise)
{
	uint64_t before;
	int nth = 0;

	pool_set(PAGE, 20);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * PAGE);
	cgroup_join("pod", 0);
	before = promise_pages(PAGE);
	for (;;) {
		struct promise p = { 0 };
		bool made;

		faults_arm(++nth, ENOMEM);
		made = promise_add(&p, PAGE, 2, 20);
		if (!faults_fired()) {
			EXPECT_TRUE(made);
			EXPECT_EQ(promise_pages(PAGE), before + 2);
			promise_end(&p);
			break;
		}
		promise_end(&p);
		EXPECT_EQ(promise_pages(PAGE), before);
	}
	EXPECT_GT(nth, 8);
}
