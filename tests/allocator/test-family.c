/* SPDX-License-Identifier: MIT */
// timeout: 600
/*
 * test-family.c - the malloc family under the preload: as glibc's would be, and ours
 *
 * Each case of prog-family and prog-threads runs with the next malloc in line (HUGETLB_MORECORE=no),
 * on small pages (thp), on a pool that is large enough, and on one that runs out.
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/harness/pool.h"
#include "tests/harness/spawn.h"

static void run(const char *program, const char *name, const char *setting)
{
	struct spawned r = spawn(&(struct spawn){
		.argv = SPAWN_ARGV(strdup(harness_build_path(program)), name),
		.env = SPAWN_ARGV(setting),
		.preload = "libhresv.so",
		.timeout_secs = 100,
	});

	if (r.exit_status != 0)
		fprintf(stderr, "%s, %s: %s\n", name, setting, r.err);
	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
}

#define FAMILY "tests/allocator/prog-family"
#define THREADS "tests/allocator/prog-threads"

#define CASE(program, name)                                                                          \
	TEST(name##_is_as_in_glibc_with_the_next_malloc) { run(program, #name, "HUGETLB_MORECORE=no"); }\
	TEST_TIMEOUT(name##_is_as_in_glibc_on_small_pages, 120)                             \
	{                                                                                   \
		run(program, #name, "HUGETLB_MORECORE=thp");                                         \
	}                                                                                   \
	TEST_TIMEOUT(name##_is_as_in_glibc_without_a_pool, 120)                             \
	{                                                                                   \
		pool_set(2 * MIB, 0);                                                       \
		run(program, #name, "HUGETLB_MALLOC_START=0");                                       \
	}                                                                                   \
	TEST_TIMEOUT(name##_is_as_in_glibc_on_huge_pages, 120)                              \
	{                                                                                   \
		pool_set(2 * MIB, 200);                                                     \
		run(program, #name, "HUGETLB_MALLOC_START=0");                                       \
	}                                                                                   \
	TEST_TIMEOUT(name##_is_as_in_glibc_when_the_pool_runs_out, 120)                     \
	{                                                                                   \
		pool_set(2 * MIB, 5);                                                       \
		run(program, #name, "HUGETLB_MALLOC_START=1M");                                      \
	}

CASE(FAMILY, zero_bytes)
CASE(FAMILY, overflow)
CASE(FAMILY, alignment)
CASE(FAMILY, bad_alignment)
CASE(FAMILY, realloc_edges)
CASE(FAMILY, errno_is_kept)
CASE(FAMILY, usable)
CASE(FAMILY, calloc_is_zero)
CASE(FAMILY, realloc_keeps)
CASE(FAMILY, growing_neighbours)
CASE(THREADS, shadow)
CASE(THREADS, fork_with_threads)
CASE(THREADS, thread_exit)
CASE(THREADS, thread_crowds)
CASE(THREADS, thread_aligned)
CASE(FAMILY, before_and_after_main)
CASE(FAMILY, loading)
CASE(FAMILY, signals)
CASE(FAMILY, short_of_space)
CASE(FAMILY, told)
CASE(FAMILY, other_sizes)
