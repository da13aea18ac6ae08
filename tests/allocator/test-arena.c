/* SPDX-License-Identifier: MIT */
/*
 * test-arena.c - programs that know jemalloc, through our mallctl
 */
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/harness/spawn.h"

static void run(const char *name, const char *setting)
{
	struct spawned r = spawn(&(struct spawn){
		.argv = SPAWN_ARGV(strdup(harness_build_path("tests/allocator/prog-arena")), name),
		.env = SPAWN_ARGV("HUGETLB_MORECORE=thp", setting),
		.preload = "libhresv.so",
		.timeout_secs = 20,
	});

	EXPECT_STR_EQ(r.err, "");
	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
}

TEST(block_of_an_arena_the_thread_was_bound_to_is_not_kept_beyond_it)
{
	run("bound_thread", "MALLOC_CONF=");
}

TEST(block_of_an_explicit_arena_is_not_kept_when_it_is_freed)
{
	run("explicit_blocks", "MALLOC_CONF=");
}

TEST(profile_of_the_engine_says_who_allocated)
{
	run("profile", "MALLOC_CONF=prof:true,lg_prof_sample:0");
}

TEST(records_of_small_blocks_are_less_than_a_hundredth_of_them)
{
	run("records_of_small_blocks", "MALLOC_CONF=");
}
