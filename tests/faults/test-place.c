/* SPDX-License-Identifier: MIT */
/* Ranges put together of both kinds of pages, each system call failing in turn. */
#include "core/act/place.h"
#include "tests/faults/held.h"
#include "tests/faults/old.h"

#define BYTES (3 * PAGE + 20 * KIB)

struct kind {
	uintptr_t hint;
	bool shared;
	size_t rungs;
	uint64_t most;
	int prot, more_flags;
};

static int place(const struct kind *k, struct placed *p)
{
	const int flags = (k->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | k->more_flags;
	const struct request rq = { .at = k->hint, .bytes = BYTES, .prot = k->prot,
				    .flags = flags, .fd = -1 };
	struct rung rungs[2];

	for (size_t i = 0; i < k->rungs; i++)
		rungs[i] = (struct rung){ .how = { .page_bytes = PAGE, .prot = k->prot,
						   .shared = k->shared },
					  .most_pages = k->most };
	return place_range(&rq, rungs, k->rungs, p);
}

/* All of it is there, and as much of it huge as is said. */
static void use_up(const struct kind *k, const struct placed *p)
{
	EXPECT_EQ(p->bytes, BYTES);
	EXPECT_EQ(mapped_in((void *)p->at, BYTES), BYTES);
	EXPECT_EQ(huge_in((void *)p->at, BYTES), p->huge_bytes);
	EXPECT_GT(p->huge_bytes, 0);
	if (k->prot & PROT_WRITE)
		fill_pages((void *)p->at, BYTES, 1);
	EXPECT_EQ(munmap((void *)p->at, BYTES), 0);
}

static void place_failing(const struct kind *k, int err)
{
	struct placed p;
	int nth = 0;

	for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
		const struct held before = held_now();
		int got;

		faults_arm(++nth, err);
		got = place(k, &p);
		fired = faults_fired();
		EXPECT_TRUE(got == 0 || (fired && (got == -err || got == -ENOMEM)));
		if (got == 0)
			use_up(k, &p);
		held_expect(&before, "place_range", nth, err);
	}
	EXPECT_LT(nth, HELD_CALLS_MOST);
}

static void place_each(struct kind k)
{
	struct placed p;

	pool_set(PAGE, 3);
	if (!k.prot)
		k.prot = RW;
	REQUIRE_EQ(place(&k, &p), 0);
	use_up(&k, &p);
	HELD_EACH_ERRNO(err)
		place_failing(&k, err);
}

/* A hint where there is room, on a huge page line. */
static uintptr_t free_place(void)
{
	char *at = mmap(NULL, BYTES + 2 * PAGE, PROT_NONE, ANON, -1, 0);

	munmap(at, BYTES + 2 * PAGE);
	return ((uintptr_t)at + PAGE - 1) & ~(PAGE - 1);
}

TEST(place_straight_leaves_nothing)
{
	place_each((struct kind){ .rungs = 1, .most = 3 });
}

TEST(place_straight_with_fewer_pages_than_asked_leaves_nothing)
{
	place_each((struct kind){ .rungs = 1, .most = 2 });
}

TEST(place_by_hint_leaves_nothing)
{
	place_each((struct kind){ .rungs = 1, .most = 3, .hint = free_place() });
	place_each((struct kind){ .rungs = 1, .most = 3, .hint = free_place() + 8192 });
}

TEST(place_of_a_ladder_leaves_nothing)
{
	place_each((struct kind){ .rungs = 2, .most = 1 });
	place_each((struct kind){ .rungs = 2, .most = 1, .hint = free_place() });
}

TEST(place_of_shared_memory_leaves_nothing)
{
	place_each((struct kind){ .rungs = 1, .most = 3, .shared = true });
}

TEST(place_that_populates_leaves_nothing)
{
	place_each((struct kind){ .rungs = 1, .most = 2, .more_flags = MAP_POPULATE,
				  .shared = true });
}

TEST(place_small_leaves_nothing)
{
	const struct request rq = { .bytes = BYTES, .prot = RW, .flags = ANON, .fd = -1 };

	for (int nth = 1, fired = 1; fired; nth++) {
		const struct held before = held_now();
		struct placed p;
		int got;

		faults_arm(nth, ENOMEM);
		got = place_small(&rq, PAGE, &p);
		fired = faults_fired();
		EXPECT_EQ(got, fired ? -ENOMEM : 0);
		if (got == 0) {
			EXPECT_EQ(p.at % PAGE, 0);
			fill_pages((void *)p.at, BYTES, 3);
			munmap((void *)p.at, BYTES);
		}
		held_expect(&before, "place_small", nth, ENOMEM);
	}
}

/* Huge parts are built in place instead, and what was there is all there again. */
TEST(place_where_huge_pages_do_not_move_is_as_huge)
{
	const struct kind kinds[] = {
		{ .rungs = 1, .most = 3, .prot = RW, .hint = free_place() },
		{ .rungs = 2, .most = 1, .prot = RW },
		{ .rungs = 1, .most = 3, .prot = RW, .shared = true },
		{ .rungs = 1, .most = 2, .prot = RW },
	};

	pool_set(PAGE, 3);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct held before = held_now();
		struct placed p;
		int got;

		old_kernel(OLD_NO_HUGE_MREMAP | OLD_NO_POPULATE);
		got = place(&kinds[i], &p);
		old_kernel(0);
		REQUIRE_EQ(got, 0);
		EXPECT_EQ(p.huge_bytes, kinds[i].rungs * kinds[i].most * PAGE > 3 * PAGE ?
						3 * PAGE : kinds[i].rungs * kinds[i].most * PAGE);
		use_up(&kinds[i], &p);
		held_expect(&before, "place_range", 0, 0);
	}
}

/* A move that fails leaves no hole behind, whether the kernel made one or not. */
TEST(place_mends_the_hole_a_failed_move_leaves)
{
	const struct kind k = { .rungs = 1, .most = 3, .prot = RW, .hint = free_place() };

	pool_set(PAGE, 3);
	for (int err = 0; err < 2; err++) {
		const struct held before = held_now();
		struct placed p;
		int got;

		faults_arm_call(SYS_mremap, 1, err ? ENOMEM : EINVAL);
		got = place(&k, &p);
		EXPECT_TRUE(faults_fired());
		if (got == 0)
			use_up(&k, &p);
		else
			EXPECT_EQ(got, -ENOMEM);
		held_expect(&before, "place_range", 1, err);
	}
}
