/* SPDX-License-Identifier: MIT */
/*
 * What the environment says is what happens: sizes, budgets, filters, the ladder.
 * That it is parsed is tests/unit/test-conf.c's business.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

/* Maps BYTES, N times (1 unless said), and expects HUGE bytes of all to be huge. */
PROGRAM(maps)
{
	size_t bytes = given("BYTES"), n = given("N") ? given("N") : 1, huge = 0;
	int type = getenv("SHARED") ? MAP_SHARED : MAP_PRIVATE;

	for (size_t i = 0; i < n; i++) {
		void *at = mmap(NULL, bytes, RW, type | MAP_ANONYMOUS, -1, 0);

		REQUIRE_NE(at, MAP_FAILED);
		fill_pages(at, bytes, 1);
		huge += huge_in(at, bytes);
	}
	EXPECT_EQ(huge, given("HUGE"));
}

/* The same, and nothing of it shall be had. */
PROGRAM(is_refused)
{
	size_t bytes = given("BYTES");
	int type = getenv("SHARED") ? MAP_SHARED : MAP_PRIVATE;

	errno = 0;
	EXPECT_EQ(mmap(NULL, bytes, RW, type | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	EXPECT_EQ(pool_resv(PAGE), 0);
}

TEST(mmap_min_leaves_smaller_mappings_alone)
{
	pool_set(PAGE, 8);
	run_with_us("maps", "HUGETLB_MMAP_MIN=8M", "BYTES=6291456", "HUGE=0");
	run_with_us("maps", "HUGETLB_MMAP_MIN=8M", "BYTES=8388608", "HUGE=8388608");
}

TEST(mmap_no_leaves_all_alone)
{
	pool_set(PAGE, 8);
	run_with_us("maps", "HUGETLB_MMAP=no", "BYTES=8388608", "HUGE=0");
}

TEST(limit_bounds_the_process_over_all_its_mappings)
{
	pool_set(PAGE, 12);
	run_with_us("maps", "HUGETLB_LIMIT=6M", "BYTES=4194304", "N=4", "HUGE=6291456");
	run_with_us("maps", "HUGETLB_LIMIT=6M", "BYTES=4194304", "N=4", "HUGE=6291456", "SHARED=1");
	run_with_us("maps", "HUGETLB_LIMIT=7M", "BYTES=20971520", "HUGE=6291456");
	run_with_us("maps", "HUGETLB_LIMIT=0", "BYTES=4194304", "HUGE=0");
}

PROGRAM(maps_and_unmaps_often)
{
	for (int i = 0; i < 20; i++) {
		char *at = mmap(NULL, 6 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		REQUIRE_NE(at, MAP_FAILED);
		EXPECT_EQ(huge_in(at, 6 * MIB), 6 * MIB);
		/* Half of it goes exactly, half by cutting pages. */
		if (i % 2)
			munmap(at + PAGE / 2, PAGE);
		munmap(at, 6 * MIB);
		EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	}
}

TEST(limit_is_given_back_by_munmap)
{
	pool_set(PAGE, 8);
	run_with_us("maps_and_unmaps_often", "HUGETLB_LIMIT=6M");
}

TEST(keep_free_leaves_pages_to_others)
{
	pool_set(PAGE, 8);
	run_with_us("maps", "HUGETLB_KEEP_FREE=3", "BYTES=16777216", "HUGE=10485760");
	run_with_us("maps", "HUGETLB_KEEP_FREE=3", "BYTES=2097152", "N=8", "HUGE=10485760");
	run_with_us("maps", "HUGETLB_KEEP_FREE=3", "BYTES=16777216", "HUGE=10485760", "SHARED=1");
	run_with_us("maps", "HUGETLB_KEEP_FREE=8", "BYTES=4194304", "HUGE=0");
}

TEST(restrict_exe_excludes_all_others)
{
	char own[128];

	pool_set(PAGE, 4);
	snprintf(own, sizeof(own), "HUGETLB_RESTRICT_EXE=postgres:%s",
		 program_invocation_short_name);
	run_with_us("maps", own, "BYTES=4194304", "HUGE=4194304");
	run_with_us("maps", "HUGETLB_RESTRICT_EXE=postgres:test-var", "BYTES=4194304", "HUGE=0");
}

TEST(eager_max_bounds_what_is_proven_at_once)
{
	pool_set(PAGE, 8);
	run_with_us("maps", "HUGETLB_EAGER_MAX=4M", "BYTES=12582912", "HUGE=4194304");
	/* Of private memory: what is shared is asked for as a whole. */
	run_with_us("maps", "HUGETLB_EAGER_MAX=4M", "BYTES=12582912", "HUGE=12582912", "SHARED=1");
}

TEST(fallback_fail_refuses_what_cannot_be_huge_as_a_whole)
{
	pool_set(PAGE, 8);
	run_with_us("is_refused", "HUGETLB_FALLBACK=fail", "BYTES=18874368");
	run_with_us("is_refused", "HUGETLB_FALLBACK=fail", "BYTES=41943040");
	run_with_us("is_refused", "HUGETLB_FALLBACK=fail", "BYTES=18874368", "SHARED=1");
	run_with_us("is_refused", "HUGETLB_FALLBACK=fail", "HUGETLB_LIMIT=4M", "BYTES=6291456");
	run_with_us("maps", "HUGETLB_FALLBACK=fail", "BYTES=16777216", "HUGE=16777216");
	run_with_us("maps", "HUGETLB_FALLBACK=fail", "BYTES=16777216", "HUGE=16777216", "SHARED=1");
	run_with_us("maps", "HUGETLB_FALLBACK=fail", "BYTES=5242880", "HUGE=4194304");
}

static size_t thp_of(const char *at, size_t bytes)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long lo = 0, hi = 0, from, to;
	char line[4096];
	size_t advised = 0;

	while (fgets(line, sizeof(line), f)) {
		char minus;

		/* "AnonHugePages:" begins with a hexadecimal digit too. */
		if (sscanf(line, "%lx%c%lx ", &from, &minus, &to) == 3 && minus == '-') {
			lo = from;
			hi = to;
			continue;
		}
		if (!strncmp(line, "VmFlags:", 8) && strstr(line, " hg") && lo < (uintptr_t)at + bytes &&
		    hi > (uintptr_t)at)
			advised += hi - lo;
	}
	fclose(f);
	return advised;
}

PROGRAM(looks_for_advice)
{
	char *at = mmap(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, 8 * MIB), 4 * MIB);
	EXPECT_EQ(thp_of(at, 8 * MIB), given("ADVISED"));
}

TEST(fallback_thp_advises_the_rest_and_small_does_not)
{
	pool_set(PAGE, 2);
	run_with_us("looks_for_advice", "ADVISED=4194304");
	run_with_us("looks_for_advice", "ADVISED=0", "HUGETLB_FALLBACK=small");
}

/* 1 GiB pages where asked, then 2 MiB, then small; each boundary on its line. */
PROGRAM(maps_a_ladder)
{
	size_t bytes = GIB + 7 * MIB;
	char *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(pages_in(at, bytes, GIB), GIB);
	EXPECT_EQ(pages_in(at, bytes, PAGE), 4 * MIB);
	EXPECT_EQ(mapped_in(at, bytes), bytes);
	EXPECT_EQ((uintptr_t)at % GIB, 0);
	at[0] = at[GIB - 1] = at[GIB] = at[bytes - 1] = 1;
	EXPECT_EQ(munmap(at, bytes), 0);
	EXPECT_EQ(pool_free(GIB), pool_total(GIB));
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
}

PROGRAM(maps_without_the_upper_rung)
{
	char *at = mmap(NULL, GIB + 6 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(pages_in(at, GIB + 6 * MIB, GIB), 0);
	EXPECT_EQ(pages_in(at, GIB + 6 * MIB, PAGE), 4 * MIB);
}

TEST(page_size_of_1g_is_the_top_of_the_ladder)
{
	pool_set(PAGE, 2);
	pool_set(GIB, 1);	/* skips where no GiB is free in one piece */
	run_with_us("maps_a_ladder", "HUGETLB_MMAP=1G");
	run_with_us("maps_a_ladder", "HUGETLB_DEFAULT_PAGE_SIZE=1G");
}

TEST(page_size_of_1g_without_such_a_page_falls_to_2m)
{
	pool_set(PAGE, 2);
	pool_set(GIB, 0);
	run_with_us("maps_without_the_upper_rung", "HUGETLB_MMAP=1G");
}

TEST(bad_values_cost_one_line_each_and_nothing_else)
{
	struct spawned r;

	pool_set(PAGE, 2);
	r = run_with_us("maps", "HUGETLB_LIMIT=lots", "BYTES=4194304", "HUGE=4194304");
	EXPECT_CONTAINS(r.err, "libhresv: HUGETLB_LIMIT=\"lots\"");
	EXPECT_EQ(strchr(r.err, '\n'), strrchr(r.err, '\n'));
	r = run_with_us("maps", "HUGETLB_LIMIT=lots", "HUGETLB_VERBOSE=0", "BYTES=4194304",
			"HUGE=4194304");
	EXPECT_STR_EQ(r.err, "");
	r = run_with_us("maps", "HUGETLB_DEFAULT_PAGE_SIZE=3M", "BYTES=4194304", "HUGE=4194304");
	EXPECT_CONTAINS(r.err, "HUGETLB_DEFAULT_PAGE_SIZE");
	/* A size that this machine lacks is no size either. */
	run_with_us("maps", "HUGETLB_DEFAULT_PAGE_SIZE=64M", "BYTES=4194304", "HUGE=4194304");
}

TEST(verbose_2_prints_the_table_at_exit_and_1_prints_nothing)
{
	struct spawned r;

	pool_set(PAGE, 2);
	r = run_with_us("maps", "HUGETLB_VERBOSE=2", "BYTES=8388608", "HUGE=4194304");
	EXPECT_CONTAINS(r.err, "mmap");
	EXPECT_CONTAINS(r.err, "8 MiB");
	EXPECT_CONTAINS(r.err, "4 MiB");
	EXPECT_CONTAINS(r.err, "pool-short");
	r = run_with_us("maps", "BYTES=8388608", "HUGE=4194304");
	EXPECT_STR_EQ(r.err, "");
	r = run_with_us("maps", "HUGETLB_VERBOSE=3", "BYTES=8388608", "HUGE=4194304");
	EXPECT_CONTAINS(r.err, "libhresv: mmap 8 MiB: 4 MiB huge, rest pool-short\n");
}
