/* SPDX-License-Identifier: MIT */
/*
 * test-arena.c - programs that manage jemalloc's arenas through our mallctl
 */
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/harness/spawn.h"

static void run(const char *name)
{
	struct spawned r = spawn(&(struct spawn){
		.argv = SPAWN_ARGV(strdup(harness_build_path("tests/allocator/prog-arena")), name),
		.env = SPAWN_ARGV("HUGETLB_MORECORE=thp"),
		.preload = "libhresv.so",
		.timeout_secs = 20,
	});

	EXPECT_STR_EQ(r.err, "");
	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
}

TEST(block_of_an_arena_the_thread_was_bound_to_is_not_kept_beyond_it)
{
	run("bound_thread");
}

TEST(block_of_an_explicit_arena_is_not_kept_when_it_is_freed)
{
	run("explicit_blocks");
}
