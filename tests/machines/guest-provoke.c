/* SPDX-License-Identifier: MIT */
// timeout: 300
/*
 * A program under libhresv does all that provokes the kernel's accounting bugs (KERNEL.md 2.3),
 * in an emulated machine: the counters stay right, and a neighbour's reservation holds.
 */
#include "tests/machines/bugs.h"

/* With a child, or pinned: pages given up in every way. */
static void give_up_every_way(char *at)
{
	EXPECT_EQ(munmap(at, PAGE), 0);
	EXPECT_EQ(mmap(at + PAGE, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0), at + PAGE);
	EXPECT_EQ(madvise(at + 2 * PAGE, PAGE, MADV_DONTNEED), 0);
	EXPECT_TRUE(is_zero(at + 2 * PAGE, PAGE));
	at[2 * PAGE] = 1;
	EXPECT_EQ(munmap(at + 3 * PAGE, PAGE), 0);
}

/* A mount's minimum is less while some of it is in use: looked at in the end alone. */
static void still_reserved(unsigned long long before)
{
	if (!*getenv("HUGETLB_PATH"))
		EXPECT_EQ(counter("resv"), before);
}

PROGRAM(does_all_that_provokes_them)
{
	unsigned long long resv = counter("resv");
	char *at = map(MINE, MAP_PRIVATE), *own, *to;
	pid_t child;
	int ring;

	fill_pages(at, MINE * PAGE, 1);
	child = keeper();
	give_up_every_way(at);
	still_reserved(resv);
	kill_keeper(child);
	at = map(MINE, MAP_PRIVATE);
	fill_pages(at, MINE * PAGE, 1);
	ring = pin(at, MINE * PAGE);
	munmap(at, MINE * PAGE);
	still_reserved(resv);
	if (ring >= 0)
		close(ring);
	/* The program's own, which would own a reservation without us. */
	own = owned(4);
	to = map(2, MAP_PRIVATE);
	own[PAGE] = 7;
	EXPECT_NE(mremap(own + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), MAP_FAILED);
	EXPECT_EQ(to[0], 7);
	own[0] = own[2 * PAGE] = own[3 * PAGE] = 1;
	child = keeper();
	EXPECT_EQ(munmap(own + 2 * PAGE, 2 * PAGE), 0);
	kill_keeper(child);
	still_reserved(resv);
	/* More than the pool has, from a mount with a minimum when there is one. */
	at = map(200, MAP_SHARED);
	at[0] = at[199 * PAGE] = 1;
	munmap(at, 200 * PAGE);
}

static void provokes_none(const char *path)
{
	unsigned long long resv, free_before;
	char *victim;

	set("nr", 24);
	resv = counter("resv");
	free_before = counter("free");
	victim = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | HUGE, -1, 0);
	REQUIRE_NE(victim, MAP_FAILED);
	run_with_us("does_all_that_provokes_them", path);
	EXPECT_EQ(counter("resv"), resv + 4);
	EXPECT_EQ(counter("free"), free_before);
	EXPECT_FALSE(touch_kills(victim, 4));
	munmap(victim, 4 * PAGE);
	EXPECT_EQ(counter("resv"), resv);
}

TEST(we_provoke_none_of_them)
{
	provokes_none("HUGETLB_PATH=");
}

TEST(we_provoke_none_of_them_on_a_mount_with_a_minimum)
{
	set("nr", 24);		/* or there is no minimum */
	mkdir("/tmp/least", 0700);
	REQUIRE_EQ(mount("none", "/tmp/least", "hugetlbfs", 0, "pagesize=2M,min_size=4M"), 0);
	provokes_none("HUGETLB_PATH=/tmp/least");
	EXPECT_EQ(umount("/tmp/least"), 0);
}
