/* SPDX-License-Identifier: MIT */
/*
 * test-starting.c - while one thread starts the engine, the others fork and load libraries
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/harness/spawn.h"

static void run(const char *name)
{
	struct spawned r = spawn(&(struct spawn){
		.argv = SPAWN_ARGV(strdup(harness_build_path("tests/allocator/prog-start")), name),
		.preload = "libhresv.so",
		.timeout_secs = 50,
	});

	if (r.exit_status != 0)
		fprintf(stderr, "%s: %s\n", name, r.err);
	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
}

TEST(child_of_a_fork_amid_the_start_has_a_heap)
{
	run("fork_amid_start");
}

TEST(parent_and_child_start_their_engines_after_a_fork)
{
	run("fork_before_start");
}

TEST(thread_that_allocates_under_the_loaders_lock_waits_for_no_deadlock)
{
	run("loader_waits_for_start");
}
