/* SPDX-License-Identifier: MIT */
// timeout: 900
/*
 * prog-snapshot under us, on pools that have less and less to spare: no signal, no
 * EFAULT, no write lost, no snapshot changed.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/pool.h"
#include "tests/harness/spawn.h"

#define PAGE (2 * MIB)
#define PAGES 8

static void snapshots(unsigned long pool, const char *writers, const char *how, const char *policy)
{
	char program[4096], without[4096];
	char variable[64];

	/* One answer of harness_build_path() at a time. */
	snprintf(program, sizeof(program), "%s", harness_build_path("tests/fork/prog-snapshot"));
	snprintf(without, sizeof(without), "%s", harness_build_path("tests/fork/prog-without-uffd"));
	if (access(program, X_OK) != 0)
		SKIP("liburing");
	snprintf(variable, sizeof(variable), "HUGETLB_FORK=%s", policy);
	pool_set(PAGE, pool);

	struct spawned r = spawn(&(struct spawn){
		.argv = strcmp(how, "n") == 0 ?
				SPAWN_ARGV(without, program, "8", "12", writers) :
				SPAWN_ARGV(program, "8", "12", writers, how),
		.env = SPAWN_ARGV(variable),
		.preload = "libhresv.so",
		.timeout_secs = 60,
	});

	/* What a ring of io_uring held comes back a moment after its process. */
	for (int i = 0; i < 100 && pool_free(PAGE) != pool; i++)
		nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	EXPECT_EQ(pool_free(PAGE), pool);
	if (r.exit_status != 0)
		FAIL("pool %lu, writers %s, %s, %s: exit %d, signal %d%s: %.200s", pool, writers, how,
		     policy, r.exit_status, r.signal, r.timed_out ? " (timed out)" : "", r.err);
}

/* Enough for all copies of two children and theirs, for one, one short of it, half, none. */
static void on_every_pool(const char *writers, const char *how, const char *policy)
{
	static const unsigned long pools[] = { 5 * PAGES, 2 * PAGES, 2 * PAGES - 1, PAGES + PAGES / 2,
					       PAGES + 1, PAGES, PAGES - 1, PAGES / 2, 0 };

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		snapshots(pools[i], writers, how, policy);
}

TEST_TIMEOUT(snapshots_hold_while_stores_read_and_io_uring_write, 300)
{
	on_every_pool("sru", "", "auto");
}

TEST_TIMEOUT(snapshots_hold_with_policy_copy, 300)
{
	on_every_pool("sru", "", "copy");
}

/* The program's own huge pages: it gets all of them or ENOMEM. */
TEST_TIMEOUT(snapshots_of_huge_memory_the_program_asked_for_hold, 300)
{
	for (unsigned long pool = PAGES; pool <= PAGES + 2; pool++)
		snapshots(pool, "sru", "g", "auto");
}

TEST_TIMEOUT(snapshots_hold_without_userfaultfd_for_one_thread_that_writes, 300)
{
	on_every_pool("s", "n", "auto");
}

TEST_TIMEOUT(snapshots_hold_without_userfaultfd_for_threads_that_store, 300)
{
	on_every_pool("sss", "n", "auto");
}

TEST_TIMEOUT(snapshots_hold_without_userfaultfd_for_threads_that_read, 300)
{
	on_every_pool("srr", "n", "auto");
}

/* The kernel's way without a page for it: stores and read(2) by way of the net. */
TEST_TIMEOUT(snapshots_hold_when_the_net_is_all_there_is, 300)
{
	on_every_pool("sr", "", "share");
}
