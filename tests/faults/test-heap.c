/* SPDX-License-Identifier: MIT */
/*
 * Address space that becomes memory later, each system call failing in turn: a heap's
 * (heap.h) and the program's own (commit.h).
 */
#include "core/act/promote.h"
#include "core/base/mem.h"
#include "core/heap.h"
#include "core/route.h"
#include "tests/faults/held.h"
#include "tests/faults/old.h"

#define BYTES (3 * PAGE)

/* What a process under us would say. */
static bool is_mapped(const char *at, size_t bytes)
{
	return mapped_in(at, bytes) == bytes;
}

static bool short_of_pages;

static void heap_failing(bool mapped_huge, int err)
{
	for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
		const struct held before = held_now();
		size_t page = mapped_huge ? PAGE : 0, huge;
		enum reason why = REASON_NONE;
		struct quiet q;
		long at;

		gate_enter(&q);
		faults_arm(nth, err);
		at = heap_reserve(0, BYTES, &page);
		if (!sys_failed(at)) {
			huge = heap_back_huge((uintptr_t)at, BYTES, page, &why);
			EXPECT_EQ(huge % PAGE, 0);
			fired = faults_fired();
			EXPECT_TRUE(huge == BYTES || fired || short_of_pages);
			EXPECT_EQ(huge, stats_held());
			EXPECT_TRUE(is_mapped((char *)at, BYTES));
			fill_pages((void *)at, huge, 3);
			EXPECT_TRUE(holds_pages((void *)at, huge, 3));
			if (huge < BYTES && heap_back_small((uintptr_t)at + huge, BYTES - huge, page,
							    false) == 0)
				fill_pages((void *)(at + (long)huge), BYTES - huge, 4);
			EXPECT_EQ(heap_give_back((uintptr_t)at, BYTES, &page), 0);
			EXPECT_TRUE(is_mapped((char *)at, BYTES));
			munmap((void *)at, BYTES);
		} else {
			fired = faults_fired();
			EXPECT_TRUE(fired && at == -err);
		}
		gate_leave(&q);
		held_expect(&before, "heap_back_huge", nth, err);
	}
}

TEST(heap_gets_what_can_be_had_and_says_how_much)
{
	pool_set(PAGE, 3);
	held_grow_records();
	for (int huge = 0; huge < 2; huge++)
		HELD_EACH_ERRNO(err)
			heap_failing(huge, err);
}

/* The pool is short, and what did not come can't be made small again: no SIGBUS later. */
TEST(heap_from_a_short_pool_is_never_touched_where_nothing_is)
{
	pool_set(PAGE, 3);
	held_grow_records();
	for (int huge = 0; huge < 2; huge++)
		HELD_EACH_ERRNO(err) {
			char *hog = mmap(NULL, 2 * PAGE, RW,
					 ANON | MAP_HUGETLB | MAP_NORESERVE | MAP_POPULATE, -1, 0);

			short_of_pages = true;
			heap_failing(huge, err);
			munmap(hog, 2 * PAGE);
		}
}

/* Given back or still there, and never a page counted that is not held. */
TEST(heap_that_is_given_back_while_calls_fail_counts_right)
{
	pool_set(PAGE, 3);
	held_grow_records();
	for (int huge = 0; huge < 2; huge++)
		HELD_EACH_ERRNO(err)
			for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
				const struct held before = held_now();
				size_t page = huge ? PAGE : 0;
				enum reason why;
				struct quiet q;
				long at;
				int got;

				gate_enter(&q);
				at = heap_reserve(0, BYTES, &page);
				REQUIRE_EQ(heap_back_huge((uintptr_t)at, BYTES, page, &why), BYTES);
				fill_pages((void *)at, BYTES, 3);
				faults_arm(nth, err);
				got = heap_give_back((uintptr_t)at, BYTES, &page);
				fired = faults_fired();
				EXPECT_TRUE(got == 0 || (fired && (got == -ENOMEM || got == -EFAULT)));
				/* Whatever it said, what it said is so: no byte of it comes back. */
				if (got == 0) {
					size_t again = heap_back_huge((uintptr_t)at, BYTES, page, &why);

					EXPECT_EQ(again, BYTES);
					EXPECT_TRUE(is_zero((void *)at, again));
					heap_give_back((uintptr_t)at, BYTES, &page);
				}
				munmap((void *)at, BYTES);
				gate_leave(&q);
				held_expect(&before, "heap_give_back", nth, err);
			}
}

static char *reserve(void)
{
	const struct request rq = { .bytes = BYTES + PAGE, .prot = PROT_NONE,
				    .flags = ANON | MAP_NORESERVE, .fd = -1 };
	long at = route_map(&rq);

	REQUIRE_TRUE(!sys_failed(at));
	return (char *)at;
}

static void commit_once(int nth, int err, bool *ret_fired)
{
	char *at = reserve(), *line = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));
	long got;

	if (nth)
		faults_arm(nth, err);
	got = route_protect((uintptr_t)line, BYTES, RW, -1);
	*ret_fired = nth && faults_fired();
	EXPECT_TRUE(got == 0 || (*ret_fired && got == -err));
	EXPECT_TRUE(is_mapped(at, BYTES + PAGE));
	EXPECT_EQ(huge_in(line, BYTES), stats_held());
	if (got == 0) {
		fill_pages(line, BYTES, 9);
		EXPECT_TRUE(holds_pages(line, BYTES, 9));
	}
	EXPECT_EQ(route_protect((uintptr_t)line, BYTES, RW, -1), 0);
	line[BYTES - 1] = 1;
	EXPECT_EQ(route_unmap((uintptr_t)at, BYTES + PAGE), 0);
}

TEST(commit_by_mprotect_works_or_is_refused)
{
	pool_set(PAGE, 3);
	held_grow_records();
	HELD_EACH_ERRNO(err) {
		int nth = 0;

		for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
			const struct held before = held_now();

			commit_once(++nth, err, &fired);
			held_expect(&before, "route_protect", nth, err);
		}
	}
}

/* Linux 5.15 unmaps the place first and says EINVAL then: no hole may remain. */
TEST(commit_where_huge_pages_do_not_move_leaves_no_hole)
{
	bool fired;

	pool_set(PAGE, 3);
	old_kernel(OLD_NO_HUGE_MREMAP);
	for (int i = 0; i < 3; i++)
		commit_once(0, 0, &fired);
	old_kernel(0);
	EXPECT_EQ(stats_held(), 0);
}

/* The promotion of touched small memory, at every place it can fail. */
static void promote_once(int nth, int err, bool *ret_fired)
{
	const struct request rq = { .bytes = BYTES, .prot = RW, .flags = ANON, .fd = -1 };
	struct backing how = { .page_bytes = PAGE };
	struct quiet q;
	char *at, *hog;

	/* Somebody else has the pages first. */
	hog = mmap(NULL, BYTES, RW, ANON | MAP_HUGETLB | MAP_NORESERVE | MAP_POPULATE, -1, 0);
	at = (char *)route_map(&rq);
	EXPECT_EQ(huge_in(at, BYTES), 0);
	fill_pages(at, BYTES, 6);
	munmap(hog, BYTES);
	gate_enter(&q);
	if (nth)
		faults_arm(nth, err);
	promote_some(&how, 3);
	*ret_fired = nth && faults_fired();
	gate_leave(&q);
	EXPECT_TRUE(is_mapped(at, BYTES));
	EXPECT_TRUE(holds_pages(at, BYTES, 6));
	EXPECT_EQ(huge_in(at, BYTES), stats_held());
	fill_pages(at, BYTES, 7);
	EXPECT_TRUE(holds_pages(at, BYTES, 7));
	EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
}

TEST(promotion_works_or_leaves_the_content)
{
	pool_set(PAGE, 3);
	held_grow_records();
	for (int i = 0; i < 3; i++) {
		const int errs[] = { ENOMEM, ENOMEM, EINVAL };
		int nth = 0;

		held_warming = i == 0;
		for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
			const struct held before = held_now();

			promote_once(++nth, errs[i], &fired);
			held_expect(&before, "promote_some", nth, errs[i]);
		}
		EXPECT_GT(nth, 6);
	}
}

TEST(promotion_where_huge_pages_do_not_move_loses_nothing)
{
	bool fired;

	pool_set(PAGE, 3);
	old_kernel(OLD_NO_HUGE_MREMAP);
	promote_once(0, 0, &fired);
	old_kernel(OLD_NO_HUGE_MREMAP | OLD_NO_POPULATE | OLD_NO_UFFD);
	promote_once(0, 0, &fired);
	old_kernel(0);
}
