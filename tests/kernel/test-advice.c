/* SPDX-License-Identifier: MIT */
/* What advice means on huge pages: advise.c, release.c, attach.c. */
#include "tests/kernel/kernel.h"

/* advise.c: the worst of all, success that does nothing (5.18, 90e7e7f5ef3f). */
TEST(dontneed_of_a_part_returns_0_and_zeroes_nothing)
{
	char *at;

	need_linux(5, 18);
	pool_set(PAGE, 2);
	at = map_populated(2 * PAGE);
	memset(at, 7, 2 * PAGE);
	EXPECT_EQ(failed(madvise(at, 4096, MADV_DONTNEED)), 0);
	EXPECT_EQ(at[0], 7);
	EXPECT_EQ(failed(madvise(at, PAGE + 4096, MADV_DONTNEED)), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	EXPECT_EQ(at[PAGE], 7);
	EXPECT_EQ(failed(madvise(at + 4096, 4096, MADV_DONTNEED)), EINVAL);
	munmap(at, 2 * PAGE);
}

/* R5, heap.c: it gives the page back, and the next touch has to find one. */
TEST(dontneed_of_a_whole_page_gives_it_to_whoever_comes_first)
{
	char *at, *other;

	need_linux(5, 18);
	pool_set(PAGE, 1);
	at = map_populated(PAGE);
	at[0] = 1;
	EXPECT_EQ(madvise(at, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	other = map_populated(PAGE);
	EXPECT_EQ(in_child(touch, at), -SIGBUS);
	munmap(other, PAGE);
	EXPECT_EQ(at[0], 0);
	munmap(at, PAGE);
}

/* release.c zeroes shared memory in halves, so that no page goes (6.0, 68d32527d340). */
TEST(remove_of_half_a_shared_page_zeroes_it_and_keeps_the_page)
{
	char *at;

	need_linux(6, 0);
	pool_set(PAGE, 1);
	at = map_or_fail(PAGE, RW, MAP_SHARED | HUGE);
	memset(at, 7, PAGE);
	EXPECT_EQ(failed(madvise(at, PAGE / 2, MADV_REMOVE)), 0);
	EXPECT_TRUE(is_zero(at, PAGE / 2));
	EXPECT_EQ(at[PAGE / 2], 7);
	EXPECT_EQ(failed(madvise(at + PAGE / 2 + 4096, 4096, MADV_REMOVE)), 0);
	EXPECT_EQ(at[PAGE / 2 + 4095], 7);
	EXPECT_TRUE(is_zero(at + PAGE / 2 + 4096, 4096));
	EXPECT_EQ(at[PAGE / 2 + 8192], 7);
	EXPECT_EQ(pool_free(PAGE), 0);
	munmap(at, PAGE);
}

/* undo.c counts on it, release.c avoids it. */
TEST(remove_of_a_whole_shared_page_frees_it)
{
	char *at;

	pool_set(PAGE, 1);
	at = map_or_fail(PAGE, RW, MAP_SHARED | HUGE);
	at[0] = 7;
	EXPECT_EQ(failed(madvise(at, PAGE, MADV_REMOVE)), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	EXPECT_EQ(pool_resv(PAGE), 0);
	EXPECT_EQ(at[0], 0);
	munmap(at, PAGE);
}

TEST(remove_of_a_private_page_is_EACCES)
{
	char *at;

	pool_set(PAGE, 1);
	at = map_populated(PAGE);
	EXPECT_EQ(failed(madvise(at, PAGE, MADV_REMOVE)), EACCES);
	munmap(at, PAGE);
}

/* attach.c finds the page size by it; undo.c splits with it; advise.c keeps the rest. */
TEST(advice_that_is_kept_is_taken_for_whole_pages_only)
{
	static const int kept[] = { MADV_SEQUENTIAL, MADV_RANDOM, MADV_DONTFORK, MADV_DONTDUMP };
	char *at;

	pool_set(PAGE, 2);
	at = map_populated(2 * PAGE);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		EXPECT_EQ(failed(madvise(at, 4096, kept[i])), EINVAL);
		EXPECT_EQ(failed(madvise(at + 4096, PAGE, kept[i])), EINVAL);
		EXPECT_EQ(failed(madvise(at, PAGE, kept[i])), 0);
	}
	EXPECT_EQ(failed(madvise(at, 4096, MADV_NORMAL)), EINVAL);
	munmap(at, 2 * PAGE);
}

TEST(wipeonfork_is_refused)
{
	char *at;

	pool_set(PAGE, 1);
	at = map_populated(PAGE);
	EXPECT_EQ(failed(madvise(at, PAGE, MADV_WIPEONFORK)), EINVAL);
	munmap(at, PAGE);
}

/* place.c: what huge pages of the pool could not be had for. */
TEST(hugepage_advice_on_small_memory_is_taken_or_unknown)
{
	char *small = map_or_fail(2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
	int err = failed(madvise(small, 2 * PAGE, MADV_HUGEPAGE));

	EXPECT_TRUE(err == 0 || err == EINVAL);
	munmap(small, 2 * PAGE);
}
