/* SPDX-License-Identifier: MIT */
/*
 * Mappings moved, cut and laid over each other. Linux 5.16 (550a7d60bd5e) made mremap()
 * of huge pages possible; place.c knows what was before.
 */
#include "tests/kernel/kernel.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* A page line with @bytes of small memory of ours behind it. */
static char *small_place(size_t bytes)
{
	char *room = map_or_fail(bytes + PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);

	return (char *)(((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
}

static void *move(char *from, size_t bytes, char *to)
{
	return mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

/* place.c: built aside, then moved over what the program will see. */
TEST(mremap_moves_a_whole_huge_mapping)
{
	char *at, *to = small_place(2 * PAGE);

	pool_set(PAGE, 2);
	at = map_populated(2 * PAGE);
	fill_pages(at, 2 * PAGE, 3);
	memset(to, 1, 2 * PAGE);
	EXPECT_EQ(move(at, 2 * PAGE, to), to);
	EXPECT_TRUE(holds_pages(to, 2 * PAGE, 3));
	EXPECT_EQ(huge_in(to, 2 * PAGE), 2 * PAGE);
	EXPECT_EQ(mapped_in(at, 2 * PAGE), 0);
	EXPECT_EQ(pool_resv(PAGE), 0);
	munmap(to, 2 * PAGE);
	EXPECT_EQ(pool_free(PAGE), 2);
}

/* move.c moves runs out of the middle, of memory that owns no reservation. */
TEST(mremap_moves_a_part_that_owns_nothing)
{
	char *at, *to = small_place(PAGE);

	pool_set(PAGE, 3);
	at = map_populated(3 * PAGE);
	fill_pages(at, 3 * PAGE, 3);
	EXPECT_EQ(move(at + PAGE, PAGE, to), to);
	EXPECT_EQ(pool_resv(PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(mapped_in(at, 3 * PAGE), 2 * PAGE);
	munmap(to, PAGE);
	munmap(at, 3 * PAGE);
	EXPECT_EQ(pool_free(PAGE), 3);
}

/* demote.c: small pages take a huge page's place in one call. */
TEST(mremap_puts_small_pages_over_a_huge_page)
{
	char *at, *aside = map_or_fail(PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);

	pool_set(PAGE, 3);
	at = map_populated(3 * PAGE);
	fill_pages(at, 3 * PAGE, 3);
	fill_pages(aside, PAGE, 4);
	EXPECT_EQ(move(aside, PAGE, at + PAGE), at + PAGE);
	EXPECT_EQ(huge_in(at, 3 * PAGE), 2 * PAGE);
	EXPECT_TRUE(holds_pages(at, PAGE, 3));
	EXPECT_TRUE(holds_pages(at + PAGE, PAGE, 4));
	EXPECT_EQ(pool_free(PAGE), 1);
	munmap(at, 3 * PAGE);
}

/* remap.c grows by mapping more behind, as this is refused. */
TEST(mremap_does_not_grow_huge_mappings)
{
	char *at;

	pool_set(PAGE, 2);
	at = map_populated(PAGE);
	EXPECT_EQ(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE + 4096),
		  MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	munmap(at, PAGE);
}

/* undo.c: a part unmapped gives nothing back of shared memory until it is removed. */
TEST(shared_reservation_outlives_the_munmap_of_a_part)
{
	char *at;

	pool_set(PAGE, 2);
	at = map_or_fail(2 * PAGE, RW, MAP_SHARED | HUGE);
	EXPECT_EQ(pool_resv(PAGE), 2);
	munmap(at, PAGE);
	EXPECT_EQ(pool_resv(PAGE), 2);
	munmap(at + PAGE, PAGE);
	EXPECT_EQ(pool_resv(PAGE), 0);
}

/* undo.c removes the pages of a part first: they go back at once. */
TEST(shared_pages_outlive_the_munmap_of_a_part_unless_removed)
{
	char *at;

	pool_set(PAGE, 3);
	at = map_or_fail(3 * PAGE, RW, MAP_SHARED | HUGE);
	memset(at, 1, 3 * PAGE);
	munmap(at, PAGE);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(madvise(at + 2 * PAGE, PAGE, MADV_REMOVE), 0);
	munmap(at + 2 * PAGE, PAGE);
	EXPECT_EQ(pool_free(PAGE), 1);
	munmap(at + PAGE, PAGE);
	EXPECT_EQ(pool_free(PAGE), 3);
}

/* route.c, protect.c, undo.c: what a program does on 4 KiB lines must be split for. */
TEST(small_lines_in_a_huge_page_are_EINVAL)
{
	char *at;

	pool_set(PAGE, 1);
	at = map_populated(PAGE);
	at[0] = 1;
	EXPECT_EQ(failed(munmap(at, 4096)), EINVAL);
	EXPECT_EQ(failed(munmap(at + 4096, PAGE - 4096)), EINVAL);
	EXPECT_EQ(failed(mprotect(at, 4096, PROT_READ)), EINVAL);
	EXPECT_EQ(failed(mprotect(at + 4096, 4096, PROT_READ)), EINVAL);
	EXPECT_EQ(mmap(at + 4096, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		  MAP_FAILED);
	EXPECT_EQ(at[0], 1);
	munmap(at, PAGE);
}

/* commit.c, release.c: small pages over whole huge ones, in one call. */
TEST(map_fixed_of_small_pages_over_a_whole_huge_page_works)
{
	char *at;

	pool_set(PAGE, 2);
	at = map_populated(2 * PAGE);
	EXPECT_EQ(mmap(at, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
	EXPECT_EQ(at[0], 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	munmap(at, 2 * PAGE);
}

/* plan.c counts mappings, as huge ones never become one. */
TEST(huge_mappings_beside_each_other_are_not_merged)
{
	unsigned long lo, hi, end = 0;
	char *room, *at, line[512];
	FILE *f;

	pool_set(PAGE, 2);
	room = map_or_fail(3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	at = (char *)(((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	for (int i = 0; i < 2; i++)
		REQUIRE_EQ(mmap(at + i * PAGE, PAGE, RW,
				MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED | HUGE, -1, 0),
			   at + i * PAGE);
	f = fopen("/proc/self/maps", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && lo == (uintptr_t)at)
			end = hi;
	fclose(f);
	EXPECT_EQ(end, (uintptr_t)at + PAGE);
	munmap(room, 3 * PAGE);
}

/* guard.c keeps a place with it. */
TEST(noreplace_where_something_is_is_EEXIST)
{
	char *at = small_place(PAGE);

	EXPECT_EQ(mmap(at, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0), MAP_FAILED);
	EXPECT_EQ(errno, EEXIST);
}
