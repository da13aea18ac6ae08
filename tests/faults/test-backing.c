/* SPDX-License-Identifier: MIT */
/*
 * Huge pages built aside, each system call failing in turn: all that was promised
 * comes back, or an errno and nothing is left behind.
 */
#include "core/act/backing.h"
#include "core/act/turn.h"
#include "tests/faults/held.h"
#include "tests/harness/mount.h"

#define PAGES 3

static void use_up(const struct backing *how, uintptr_t at, size_t have, size_t mapped)
{
	if (how->prot & PROT_WRITE)
		fill_pages((void *)at, have * PAGE, 7);
	else
		EXPECT_TRUE(is_zero((void *)at, have * PAGE));
	EXPECT_EQ(huge_in((void *)at, have * PAGE), have * PAGE);
	EXPECT_EQ(munmap((void *)at, mapped * PAGE), 0);
}

static void make_failing(const struct backing *how, size_t pages, size_t room, int err)
{
	int nth = 0;

	for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
		const struct held before = held_now();
		uintptr_t at = 0;
		size_t have = 0;
		int got;

		faults_arm(++nth, err);
		got = backing_make(how, pages, room, &at, &have);
		fired = faults_fired();
		if (got == 0) {
			EXPECT_GE(have, 1);
			EXPECT_LE(have, pages);
			if (how->whole || !fired)
				EXPECT_EQ(have, pages);
			use_up(how, at, have, room ? room : have);
		} else {
			EXPECT_TRUE(got == -err || got == -ENOMEM);
			EXPECT_EQ(at, 0);
			EXPECT_TRUE(fired);
		}
		held_expect(&before, "backing_make", nth, err);
	}
	EXPECT_GT(nth, 1);
	EXPECT_LT(nth, HELD_CALLS_MOST);
}

static void make_each(struct backing how, size_t pages, size_t room)
{
	uintptr_t at;
	size_t have;

	pool_set(PAGE, pages);
	how.page_bytes = PAGE;
	REQUIRE_EQ(backing_make(&how, pages, room, &at, &have), 0);
	munmap((void *)at, (room ? room : pages) * PAGE);
	HELD_EACH_ERRNO(err)
		make_failing(&how, pages, room, err);
}

TEST(backing_of_private_memory_leaves_nothing)
{
	make_each((struct backing){ .prot = RW }, PAGES, 0);
}

TEST(backing_with_room_for_a_tail_leaves_nothing)
{
	make_each((struct backing){ .prot = RW }, PAGES, PAGES + 2);
}

TEST(backing_that_ends_up_read_only_leaves_nothing)
{
	make_each((struct backing){ .prot = PROT_READ }, PAGES, 0);
}

TEST(backing_that_is_wanted_whole_leaves_nothing)
{
	make_each((struct backing){ .prot = RW, .whole = true }, PAGES, 0);
}

TEST(backing_of_shared_memory_leaves_nothing)
{
	make_each((struct backing){ .prot = RW, .shared = true }, PAGES, 0);
}

TEST(backing_by_reservation_leaves_nothing)
{
	make_each((struct backing){ .prot = RW, .shared = true, .lazy = true }, PAGES, 0);
}

TEST(backing_on_a_mount_leaves_nothing)
{
	const char *path = mount_hugetlbfs(PAGE, NULL);

	make_each((struct backing){ .prot = RW, .path = path }, PAGES, 0);
	make_each((struct backing){ .prot = RW, .path = path, .shared = true }, PAGES, 0);
}

/* More than a turn's worth: it steps out of the gate in between, and notes itself. */
TEST(backing_that_breathes_leaves_nothing)
{
	struct backing how = { .page_bytes = PAGE, .prot = RW, .may_breathe = true };
	uintptr_t at;
	size_t have;
	struct quiet q;

	pool_set(PAGE, 66);
	for (int whole = 0; whole < 2; whole++) {
		how.whole = whole;
		gate_enter(&q);
		REQUIRE_EQ(backing_make(&how, 66, 0, &at, &have), 0);
		gate_leave(&q);
		munmap((void *)at, 66 * PAGE);
		for (int nth = 1, fired = 1; fired; nth++) {
			const struct held before = held_now();
			int got;

			gate_enter(&q);
			faults_arm(nth, ENOMEM);
			got = backing_make(&how, 66, 0, &at, &have);
			fired = faults_fired();
			gate_leave(&q);
			if (got == 0)
				munmap((void *)at, have * PAGE);
			held_expect(&before, "backing_make", nth, ENOMEM);
		}
	}
}

/* With the pool short as well: both reasons at once. */
TEST(backing_of_a_short_pool_leaves_nothing_either)
{
	struct backing how = { .page_bytes = PAGE, .prot = RW };

	pool_set(PAGE, 2);
	for (int shared = 0; shared < 2; shared++)
		for (int nth = 1, fired = 1; fired; nth++) {
			const struct held before = held_now();
			uintptr_t at = 0;
			size_t have = 0;
			int got;

			how.shared = shared;
			faults_arm(nth, ENOMEM);
			got = backing_make(&how, PAGES, 0, &at, &have);
			fired = faults_fired();
			if (!fired)
				EXPECT_EQ(have, 2);
			if (got == 0)
				use_up(&how, at, have, have);
			else
				EXPECT_EQ(got, -ENOMEM);
			held_expect(&before, "backing_make", nth, ENOMEM);
		}
}

/* Everything fails from some call on: an end is found all the same. */
TEST(backing_ends_when_every_call_fails)
{
	struct backing how = { .page_bytes = PAGE, .prot = RW };

	pool_set(PAGE, PAGES);
	for (int nth = 1; nth < 12; nth++) {
		uintptr_t at = 0;
		size_t have = 0;
		int got;

		faults_arm_from(nth, ENOMEM);
		got = backing_make(&how, PAGES, PAGES + 1, &at, &have);
		if (!faults_fired())
			use_up(&how, at, have, PAGES + 1);
		else if (got == 0)
			EXPECT_GE(have, 1);
		if (at)
			munmap((void *)at, (PAGES + 1) * PAGE);
	}
}

/* No turn is no error: the caller goes on without. */
TEST(turn_that_cannot_be_had_leaves_no_descriptor)
{
	pool_lock();
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired; nth++) {
			const struct held before = held_now();
			struct turn t;

			faults_arm(nth, err);
			t = turn_take(TURN_ALONE, PAGE);
			fired = faults_fired();
			EXPECT_TRUE(fired || t.fd >= 0);
			turn_drop(&t);
			EXPECT_EQ(t.fd, -1);
			held_expect(&before, "turn_take", nth, err);
		}
}

/* A flock that never comes costs patience, and that ends. */
TEST(turn_that_is_never_granted_is_gone_without)
{
	uint64_t from = sys_now_ns();
	struct turn t;

	faults_arm_from(2, EAGAIN);	/* the file opens */
	t = turn_take(TURN_TOGETHER, PAGE);
	EXPECT_TRUE(faults_fired());
	EXPECT_EQ(t.fd, -1);
	EXPECT_GE(sys_now_ns() - from, TURN_PATIENCE_NS);
}

/* Populating memory somebody has written must neither lose it nor say it is there when it isn't. */
TEST(backing_prove_says_0_only_of_what_is_there)
{
	pool_set(PAGE, PAGES);
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired; nth++) {
			const struct held before = held_now();
			char *at = mmap(NULL, PAGES * PAGE, RW,
					ANON | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
			int got;

			REQUIRE_NE(at, MAP_FAILED);
			memset(at, 5, PAGE);
			faults_arm(nth, err);
			got = backing_prove((uintptr_t)at, PAGES * PAGE, PAGE, false);
			fired = faults_fired();
			EXPECT_EQ(at[0], 5);
			EXPECT_EQ(at[PAGE - 1], 5);
			if (got == 0)
				EXPECT_EQ(pool_free(PAGE), 0);
			munmap(at, PAGES * PAGE);
			held_expect(&before, "backing_prove", nth, err);
		}
}
