/* SPDX-License-Identifier: MIT */
/*
 * act.h - something done to memory of ours, with each of its system calls failing
 *
 * It works, or fails with an errno a program knows, and then it has not happened.
 */
#ifndef HRESV_TESTS_FAULTS_ACT_H
#define HRESV_TESTS_FAULTS_ACT_H

#include "core/route.h"
#include "tests/faults/held.h"

#define BYTES (3 * PAGE + 20 * KIB)

static inline struct request request(int flags)
{
	return (struct request){ .bytes = BYTES, .prot = RW, .flags = flags | MAP_ANONYMOUS,
				 .fd = -1 };
}

static inline char *map(int flags)
{
	const struct request rq = request(flags);
	long at = route_map(&rq);

	REQUIRE_TRUE(!sys_failed(at));
	return (char *)at;
}

/* What core keeps for itself is made, and facts are read. */
static inline void warm_up(size_t pages)
{
	pool_set(PAGE, pages);
	held_grow_records();
	for (int i = 0; i < 2; i++) {
		char *at = map(i ? MAP_SHARED : MAP_PRIVATE);

		REQUIRE_EQ(huge_in(at, BYTES), 3 * PAGE);
		memset(at, 1, BYTES);
		REQUIRE_EQ(route_protect((uintptr_t)at + 4096, 4096, PROT_READ, -1), 0);
		REQUIRE_EQ(route_unmap((uintptr_t)at, BYTES), 0);
	}
}

/*
 * @call on memory that holds a pattern, until none of its calls fails. Errno or not,
 * what it does not touch is there; then it can be done again, and be unmapped.
 */
struct act {
	const char *name;
	long (*call)(uintptr_t at);
	size_t from, to;	/* what it may change */
	bool once;		/* can't be done again once it worked */
};

static inline void act_failing(const struct act *a, int flags, int err)
{
	int nth = 0;

	for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
		const struct held before = held_now();
		char *at = map(flags);
		long got;

		fill_pages(at, BYTES, 6);
		faults_arm(++nth, err);
		got = a->call((uintptr_t)at);
		fired = faults_fired();
		if (got != 0 && (!fired || (got != -ENOMEM && got != -EBUSY && got != -err))) {
			held_tell(a->name, nth, err);
			EXPECT_EQ(got, 0);
		}
		EXPECT_TRUE(holds_pages(at, a->from, 6));
		EXPECT_EQ(mapped_in(at, a->from), a->from);
		EXPECT_EQ(mapped_in(at + a->to, BYTES - a->to), BYTES - a->to);
		EXPECT_EQ(*(uint64_t *)(at + a->to), (a->to + 1) * UINT64_C(0x9e3779b97f4a7c15) + 6);
		if (got != 0 || !a->once)
			EXPECT_EQ(a->call((uintptr_t)at), 0);
		at[0] = at[BYTES - 1] = 1;
		EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
		held_expect(&before, a->name, nth, err);
	}
	EXPECT_LT(nth, HELD_CALLS_MOST);
}

static inline void act_each(struct act a)
{
	warm_up(3);
	HELD_EACH_ERRNO(err) {
		act_failing(&a, MAP_PRIVATE, err);
		act_failing(&a, MAP_SHARED, err);
	}
}

#endif
