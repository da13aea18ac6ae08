/* SPDX-License-Identifier: MIT */
/* munmap, mprotect, mlock of parts, madvise: each of their system calls failing in turn. */
#include "tests/faults/act.h"
#include "tests/faults/old.h"

static long unmap_middle(uintptr_t at)
{
	return route_unmap(at + PAGE / 2, PAGE);
}

TEST(unmap_that_cuts_two_pages_works_or_changes_nothing)
{
	act_each((struct act){ "route_unmap", unmap_middle, PAGE / 2, PAGE / 2 + PAGE, false });
}

static long unmap_page(uintptr_t at)
{
	return route_unmap(at + PAGE, PAGE);
}

TEST(unmap_of_a_whole_page_works_or_changes_nothing)
{
	act_each((struct act){ "route_unmap", unmap_page, PAGE, 2 * PAGE, false });
}

static long protect_part(uintptr_t at)
{
	return route_protect(at + 8192, 4096, PROT_READ, -1);
}

TEST(protect_of_a_part_works_or_changes_nothing)
{
	act_each((struct act){ "route_protect", protect_part, PAGE / 2, PAGE / 2, false });
}

static long protect_none(uintptr_t at)
{
	return route_protect(at + PAGE, PAGE + 4096, PROT_NONE, -1);
}

TEST(protect_of_a_page_and_a_part_works_or_changes_nothing)
{
	act_each((struct act){ "route_protect", protect_none, PAGE, 2 * PAGE + 4096, false });
}

static long lock_part(uintptr_t at)
{
	return route_lock(at + 4096, 8192, 0);
}

TEST(lock_of_a_part_works_or_changes_nothing)
{
	act_each((struct act){ "route_lock", lock_part, PAGE, PAGE, false });
}

static long make_small(uintptr_t at)
{
	return route_make_small(at, 2 * PAGE, true);
}

TEST(make_small_works_or_changes_nothing)
{
	act_each((struct act){ "route_make_small", make_small, PAGE, PAGE, false });
}

static long advise_none(uintptr_t at)
{
	return route_advise(at + PAGE, 2 * PAGE, MADV_DONTNEED);
}

/* Given up or not, but never something else than what it was or zero. */
TEST(dontneed_of_whole_pages_works_or_changes_nothing)
{
	act_each((struct act){ "route_advise", advise_none, PAGE, 3 * PAGE, false });
}

static long advise_part(uintptr_t at)
{
	return route_advise(at + 4096, PAGE, MADV_DONTNEED);
}

TEST(dontneed_of_parts_works_or_changes_nothing)
{
	act_each((struct act){ "route_advise", advise_part, 4096, PAGE + 4096, false });
}

static long dont_fork(uintptr_t at)
{
	return route_advise(at + 4096, PAGE, MADV_DONTFORK);
}

TEST(dontfork_of_parts_works_or_changes_nothing)
{
	act_each((struct act){ "route_advise", dont_fork, 2 * PAGE, 2 * PAGE, false });
}

static long wipe_on_fork(uintptr_t at)
{
	return route_advise(at, PAGE, MADV_WIPEONFORK);
}

TEST(wipeonfork_works_or_changes_nothing)
{
	warm_up(3);
	HELD_EACH_ERRNO(err)
		act_failing(&(struct act){ "route_advise", wipe_on_fork, 2 * PAGE, 2 * PAGE, false },
			    MAP_PRIVATE, err);
}

/* Without userfaultfd, without populating: the same results. */
TEST(acts_without_userfaultfd_or_populating_do_the_same)
{
	long (*const calls[])(uintptr_t) = { unmap_middle, unmap_page, protect_part, protect_none,
					     lock_part, make_small };

	warm_up(3);
	old_kernel(OLD_NO_UFFD | OLD_NO_POPULATE);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (int shared = 0; shared < 2; shared++) {
			char *at = map(shared ? MAP_SHARED : MAP_PRIVATE);

			EXPECT_EQ(huge_in(at, BYTES), 3 * PAGE);
			fill_pages(at, BYTES, 2);
			EXPECT_EQ(calls[i]((uintptr_t)at), 0);
			EXPECT_TRUE(holds_pages(at, 4096, 2));
			EXPECT_EQ(*(uint64_t *)(at + 3 * PAGE),
				  (3 * PAGE + 1) * UINT64_C(0x9e3779b97f4a7c15) + 2);
			EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
		}
	old_kernel(0);
	EXPECT_EQ(stats_held(), 0);
}
