/* SPDX-License-Identifier: MIT */
/*
 * The program's own anonymous huge requests: proven before they return, or ENOMEM.
 * Under a fault limit the kernel grants all of these and kills at the first touch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define HUGE_ANON (MAP_ANONYMOUS | MAP_HUGETLB)

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

static const struct kind {
	const char *name;
	int prot, flags;
	bool placed;	/* at a place of its own choice */
} kinds[] = {
	{ "private", RW, MAP_PRIVATE, false },
	{ "shared", RW, MAP_SHARED, false },
	{ "private noreserve", RW, MAP_PRIVATE | MAP_NORESERVE, false },
	{ "shared noreserve", RW, MAP_SHARED | MAP_NORESERVE, false },
	{ "private populate", RW, MAP_PRIVATE | MAP_POPULATE, false },
	{ "private locked", RW, MAP_PRIVATE | MAP_LOCKED, false },
	{ "private sized", RW, MAP_PRIVATE | 21 << 26, false },
	{ "private, made writable later", PROT_READ, MAP_PRIVATE, false },
	{ "shared, made writable later", PROT_READ, MAP_SHARED, false },
	{ "private, opened later", PROT_NONE, MAP_PRIVATE, false },
	{ "shared, opened later", PROT_NONE, MAP_SHARED, false },
	{ "private hint", RW, MAP_PRIVATE, true },
	{ "shared hint", RW, MAP_SHARED, true },
	{ "private fixed", RW, MAP_PRIVATE | MAP_FIXED, true },
	{ "shared fixed", RW, MAP_SHARED | MAP_FIXED, true },
	{ "private noreplace", RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE, true },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static char *free_place(size_t bytes)
{
	char *at = mmap(NULL, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *line = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));

	munmap(at, bytes + 2 * PAGE);
	return line;
}

static void *map_kind(const struct kind *k, size_t bytes)
{
	char *place = k->placed ? free_place(bytes) : NULL;
	char *at = mmap(place, bytes, k->prot, k->flags | HUGE_ANON, -1, 0);

	if (at != MAP_FAILED && place)
		EXPECT_EQ(at, place);
	return at;
}

/* Each kind: as many bytes as can be had are huge, one page more is ENOMEM. */
PROGRAM(asks_for_huge_pages)
{
	size_t most = given("MOST");

	for (size_t i = 0; i < KINDS; i++) {
		const struct kind *k = &kinds[i];
		unsigned long before = pool_free(PAGE) - pool_resv(PAGE);
		void *at;

		fprintf(stderr, "%s\n", k->name);
		errno = 0;
		EXPECT_EQ(map_kind(k, most + PAGE), MAP_FAILED);
		EXPECT_EQ(errno, ENOMEM);
		EXPECT_EQ(pool_free(PAGE) - pool_resv(PAGE), before);
		if (!most)
			continue;
		at = map_kind(k, most);
		REQUIRE_NE(at, MAP_FAILED);
		if (k->prot != RW)
			EXPECT_EQ(mprotect(at, most, RW), 0);
		EXPECT_EQ(huge_in(at, most), most);
		fill_pages(at, most, (unsigned)i);
		EXPECT_TRUE(holds_pages(at, most, (unsigned)i));
		EXPECT_EQ(munmap(at, most), 0);
		EXPECT_EQ(pool_free(PAGE) - pool_resv(PAGE), before);
	}
}

TEST(huge_mmap_beyond_the_pool_is_enomem)
{
	pool_set(PAGE, 3);
	run_with_us("asks_for_huge_pages", "MOST=6291456");
}

TEST(huge_mmap_without_a_pool_is_enomem)
{
	pool_set(PAGE, 0);
	run_with_us("asks_for_huge_pages", "MOST=0");
}

TEST(huge_mmap_beyond_a_fault_limit_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * MIB);
	run_with_us_in("pod", "asks_for_huge_pages", "MOST=6291456");
	EXPECT_EQ(cgroup_usage_fault("pod", PAGE), 0);
}

TEST(huge_mmap_under_a_fault_limit_of_0_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 0);
	run_with_us_in("pod", "asks_for_huge_pages", "MOST=0");
}

TEST(huge_mmap_beyond_a_fault_limit_of_the_parent_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod/container");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	run_with_us_in("pod/container", "asks_for_huge_pages", "MOST=4194304");
}

TEST(huge_mmap_beyond_a_reservation_limit_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_rsvd("pod", PAGE, 6 * MIB);
	run_with_us_in("pod", "asks_for_huge_pages", "MOST=6291456");
	EXPECT_EQ(cgroup_usage_rsvd("pod", PAGE), 0);
}

PROGRAM(touches_what_it_got)
{
	char *at = mmap(NULL, 6 * MIB, RW, MAP_PRIVATE | HUGE_ANON, -1, 0);

	if (at == MAP_FAILED)
		_exit(errno == ENOMEM ? 42 : 43);
	fill_pages(at, 6 * MIB, 1);
	_exit(44);
}

/* The control, and why there is a guard: granted, then SIGBUS. */
TEST(huge_mmap_under_a_fault_limit_dies_without_us_and_not_with_us)
{
	struct spawned r;

	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	r = program_alone("touches_what_it_got", "pod");
	EXPECT_EQ(r.signal, SIGBUS);
	r = program_run("touches_what_it_got", (struct spawn){ .preload = "libhresv.so",
							       .cgroup = "pod" });
	EXPECT_EQ(r.exit_status, 42);
}

/* MAP_FIXED over live memory: the kernel destroys it even when it then refuses. */
PROGRAM(maps_over_live_memory)
{
	char *at = free_place(8 * MIB);

	at = mmap(at, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, 8 * MIB, 5);
	errno = 0;
	EXPECT_EQ(mmap(at, 8 * MIB, RW, MAP_PRIVATE | HUGE_ANON | MAP_FIXED, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(mapped_in(at, 8 * MIB), 8 * MIB);
	if (mapped_in(at, 8 * MIB) == 8 * MIB)
		EXPECT_TRUE(holds_pages(at, 8 * MIB, 5));
	EXPECT_EQ(mmap(at, 8 * MIB, RW, MAP_PRIVATE | HUGE_ANON | MAP_FIXED_NOREPLACE, -1, 0),
		  MAP_FAILED);
	EXPECT_TRUE(errno == EEXIST || errno == ENOMEM);
	/* As much as there is comes, over part of it. */
	EXPECT_EQ(mmap(at, 4 * MIB, RW, MAP_PRIVATE | HUGE_ANON | MAP_FIXED, -1, 0), at);
	EXPECT_TRUE(is_zero(at, 4 * MIB));
	EXPECT_EQ(huge_in(at, 8 * MIB), 4 * MIB);
	errno = 0;
	EXPECT_EQ(mmap(at, 4 * MIB, RW, MAP_PRIVATE | HUGE_ANON | MAP_FIXED_NOREPLACE, -1, 0),
		  MAP_FAILED);
	/* Again over itself, with the pool empty: refused, and kept. */
	fill_pages(at, 4 * MIB, 6);
	EXPECT_EQ(mmap(at, 4 * MIB, RW, MAP_PRIVATE | HUGE_ANON | MAP_FIXED, -1, 0), MAP_FAILED);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 6));
	EXPECT_EQ(munmap(at, 8 * MIB), 0);
}

TEST(huge_mmap_fixed_that_is_refused_keeps_what_was_there)
{
	pool_set(PAGE, 2);
	run_with_us("maps_over_live_memory");
	EXPECT_CONTAINS(program_alone("maps_over_live_memory", NULL).err, "mapped_in(at, 8 * MIB)");
}

PROGRAM(gets_small_pages)
{
	char *at, *again;

	for (size_t i = 0; i < KINDS; i++) {
		at = map_kind(&kinds[i], 5 * MIB);
		REQUIRE_NE(at, MAP_FAILED);
		EXPECT_EQ((uintptr_t)at % PAGE, 0);
		EXPECT_EQ(huge_in(at, 6 * MIB), 0);
		EXPECT_EQ(mapped_in(at, 6 * MIB), 6 * MIB);	/* rounded, as huge pages are */
		mprotect(at, 6 * MIB, RW);
		fill_pages(at, 6 * MIB, 7);
		EXPECT_EQ(munmap(at, 6 * MIB), 0);
	}
	/* Small over huge: the old words must go with the old pages. */
	at = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | HUGE_ANON, -1, 0);
	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, 4 * MIB), 4 * MIB);
	again = mmap(at, 4 * MIB, RW, MAP_PRIVATE | HUGE_ANON | MAP_FIXED, -1, 0);
	EXPECT_EQ(again, at);
	EXPECT_EQ(huge_in(at, 4 * MIB), 0);
	fill_pages(at, 4 * MIB, 8);
	EXPECT_EQ(munmap(at + 4096, 4 * MIB - 8192), 0);
	EXPECT_TRUE(holds_pages(at, 4096, 8));
	EXPECT_EQ(pool_free(PAGE), 2);
}

TEST(huge_mmap_with_explicit_small_gets_small_pages_on_the_same_lines)
{
	pool_set(PAGE, 2);
	run_with_us("gets_small_pages", "HUGETLB_EXPLICIT=small");
}

PROGRAM(passes_odd_requests)
{
	char *at = free_place(8 * MIB);

	errno = 0;
	EXPECT_EQ(mmap(at + 4096, PAGE, RW, MAP_PRIVATE | HUGE_ANON | MAP_FIXED, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	errno = 0;
	EXPECT_EQ(mmap(NULL, PAGE, RW, HUGE_ANON, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	errno = 0;
	EXPECT_EQ(mmap(NULL, PAGE, RW, MAP_PRIVATE | HUGE_ANON | 45 << 26, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	errno = 0;
	EXPECT_EQ(mmap(NULL, 0, RW, MAP_PRIVATE | HUGE_ANON, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	errno = 0;
	EXPECT_EQ(mmap(NULL, SIZE_MAX - PAGE, RW, MAP_PRIVATE | HUGE_ANON, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	/* A hint off the line is rounded up; one that is taken goes elsewhere. */
	EXPECT_EQ(mmap(at + 4096, PAGE, RW, MAP_PRIVATE | HUGE_ANON, -1, 0), at + PAGE);
	EXPECT_NE(mmap(at + PAGE, PAGE, RW, MAP_PRIVATE | HUGE_ANON, -1, 0), at + PAGE);
	/* A page cut by munmap is EINVAL, as the kernel has it. */
	EXPECT_EQ(munmap(at + PAGE, PAGE - 4096), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(huge_in(at + PAGE, PAGE), PAGE);
	/* One byte asked is one page got. */
	at = mmap(NULL, 1, RW, MAP_SHARED | HUGE_ANON, -1, 0);
	EXPECT_EQ(huge_in(at, PAGE), PAGE);
	EXPECT_EQ(munmap(at, PAGE), 0);
}

TEST(huge_mmap_odd_requests_fail_as_without_us)
{
	pool_set(PAGE, 8);
	EXPECT_EQ(program_alone("passes_odd_requests", NULL).exit_status, 0);
	run_with_us("passes_odd_requests");
}

PROGRAM(takes_page_by_page)
{
	size_t got = 0;

	while (mmap(NULL, PAGE, RW, MAP_PRIVATE | HUGE_ANON, -1, 0) != MAP_FAILED)
		got++;
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(got, given("PAGES"));
}

TEST(huge_mmap_counts_towards_the_limit_of_the_process)
{
	pool_set(PAGE, 8);
	run_with_us("takes_page_by_page", "HUGETLB_LIMIT=6M", "PAGES=3");
	run_with_us("takes_page_by_page", "HUGETLB_LIMIT=3M", "PAGES=1");
	run_with_us("takes_page_by_page", "HUGETLB_LIMIT=0", "PAGES=0");
}

TEST(huge_mmap_leaves_the_pages_that_shall_stay_free)
{
	pool_set(PAGE, 8);
	run_with_us("takes_page_by_page", "HUGETLB_KEEP_FREE=3", "PAGES=5");
	run_with_us("takes_page_by_page", "HUGETLB_KEEP_FREE=9", "PAGES=0");
}
