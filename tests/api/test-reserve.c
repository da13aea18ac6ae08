// SPDX-License-Identifier: MIT
/* Reservations: exactly this or nothing, and what is held nobody can take. */
#include "tests/api/reserve.h"

/* All pages anybody could still get. */
static void *take_the_rest(size_t *ret_bytes)
{
	*ret_bytes = pool_free(PAGE) * PAGE;
	return *ret_bytes ? mmap(NULL, *ret_bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE | MAP_POPULATE,
				 -1, 0) : NULL;
}

static void is_held(unsigned flags)
{
	struct hresv_reservation *r;
	size_t rest;
	void *others;
	char *at;

	pool_set(PAGE, 6);
	r = reserved(4, flags);
	EXPECT_EQ(held(r), 4);
	EXPECT_EQ(pool_free(PAGE), 2);
	EXPECT_EQ(pool_resv(PAGE), 0);
	others = take_the_rest(&rest);
	EXPECT_EQ(rest, 2 * PAGE);
	EXPECT_EQ(try_reserve(1, flags), HRESV_SHORT(HRESV_POOL));
	at = mapped(r, 0, 4);
	EXPECT_TRUE(is_zero(at, 4 * PAGE));
	fill_pages(at, 4 * PAGE, 1);
	EXPECT_TRUE(holds_pages(at, 4 * PAGE, 1));
	EXPECT_EQ(huge_in(at, 4 * PAGE), 4 * PAGE);
	EXPECT_EQ(hresv_huge_bytes(at, 4 * PAGE), 4 * PAGE);
	EXPECT_EQ(hresv_unmap(r, at, 4 * PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(held(r), 4);
	hresv_release(r);
	EXPECT_EQ(pool_free(PAGE), 4);
	munmap(others, rest);
}

TEST(shared_reservation_holds_its_pages_against_everybody) { is_held(0); }
TEST(private_reservation_holds_its_pages_against_everybody) { is_held(HRESV_PRIVATE); }

static void is_all_or_nothing(unsigned flags)
{
	pool_set(PAGE, 6);
	EXPECT_EQ(try_reserve(7, flags), HRESV_SHORT(HRESV_POOL));
	EXPECT_EQ(pool_free(PAGE), 6);
	EXPECT_EQ(try_reserve(6, flags), 0);
	EXPECT_EQ(pool_free(PAGE), 6);
}

TEST(shared_reservation_is_all_or_nothing) { is_all_or_nothing(0); }
TEST(private_reservation_is_all_or_nothing) { is_all_or_nothing(HRESV_PRIVATE); }

TEST(reservation_is_rounded_up_to_whole_pages)
{
	const struct hresv_want want = { .bytes = PAGE + 1, .page_bytes = PAGE };
	struct hresv_reservation *r;

	pool_set(PAGE, 2);
	REQUIRE_EQ(hresv_reserve(&want, &r), 0);
	EXPECT_EQ(held(r), 2);
	hresv_release(r);
}

/* The limit of a container shows at the touch otherwise. */
TEST(reservation_beyond_a_fault_limit_is_refused_with_its_name)
{
	pool_set(PAGE, 6);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 3 * PAGE);
	cgroup_join("pod", 0);
	EXPECT_EQ(try_reserve(4, 0), HRESV_SHORT(HRESV_CGROUP_FAULT));
	EXPECT_EQ(try_reserve(4, HRESV_PRIVATE), HRESV_SHORT(HRESV_CGROUP_FAULT));
	EXPECT_EQ(pool_free(PAGE), 6);
	EXPECT_EQ(try_reserve(3, 0), 0);
}

TEST(reservation_beyond_the_own_limit_is_refused)
{
	const struct hresv_policy policy = { .set = HRESV_SET_LIMIT, .limit_bytes = 3 * PAGE };
	struct hresv_reservation *r;

	pool_set(PAGE, 6);
	EXPECT_EQ(hresv_policy_set(&policy), 0);
	EXPECT_EQ(try_reserve(4, 0), HRESV_SHORT(HRESV_OWN_LIMIT));
	r = reserved(2, 0);
	EXPECT_EQ(try_reserve(2, HRESV_PRIVATE), HRESV_SHORT(HRESV_OWN_LIMIT));
	hresv_release(r);
	EXPECT_EQ(try_reserve(3, HRESV_PRIVATE), 0);
}

TEST(several_reservations_are_had_together_or_not_at_all)
{
	struct hresv_want wants[3] = {
		{ .bytes = 2 * PAGE, .page_bytes = PAGE },
		{ .bytes = 2 * PAGE, .page_bytes = PAGE, .flags = HRESV_PRIVATE },
		{ .bytes = 3 * PAGE, .page_bytes = PAGE },
	};
	struct hresv_reservation *r[3] = { NULL };

	pool_set(PAGE, 6);
	EXPECT_EQ(hresv_reserve_all(wants, 3, r), HRESV_SHORT(HRESV_POOL));
	EXPECT_TRUE(!r[0] && !r[1] && !r[2]);
	EXPECT_EQ(pool_free(PAGE), 6);
	wants[2].bytes = 2 * PAGE;
	REQUIRE_EQ(hresv_reserve_all(wants, 3, r), 0);
	EXPECT_EQ(pool_free(PAGE), 0);
	for (int i = 0; i < 3; i++)
		hresv_release(r[i]);
	wants[1].bytes = 0;
	EXPECT_EQ(hresv_reserve_all(wants, 3, r), -EINVAL);
	EXPECT_EQ(pool_free(PAGE), 6);
}

TEST(ladder_takes_the_largest_size_that_holds_it_all)
{
	const struct hresv_want want = { .bytes = 3 * PAGE, .page_bytes = GIB, .flags = HRESV_LADDER };
	struct hresv_want exact = want;
	struct hresv_reservation_info info;
	struct hresv_reservation *r;

	pool_set(GIB, 0);
	pool_set(PAGE, 3);
	exact.flags = 0;
	EXPECT_EQ(hresv_reserve(&exact, &r), HRESV_SHORT(HRESV_POOL));
	REQUIRE_EQ(hresv_reserve(&want, &r), 0);
	REQUIRE_EQ(hresv_reservation_query(r, &info), 0);
	EXPECT_EQ(info.page_bytes, PAGE);
	EXPECT_EQ(info.bytes, 3 * PAGE);
	hresv_release(r);
}

TEST(node_that_does_not_exist_is_enodev_and_node_0_works)
{
	struct hresv_want want = { .bytes = PAGE, .page_bytes = PAGE, .flags = HRESV_ON_NODE };
	struct hresv_reservation *r = NULL;

	pool_set(PAGE, 2);
	for (unsigned is_private = 0; is_private < 2; is_private++) {
		want.flags = HRESV_ON_NODE | (is_private ? HRESV_PRIVATE : 0);
		want.node = 0;
		REQUIRE_EQ(hresv_reserve(&want, &r), 0);
		hresv_release(r);
		for (int i = 0; i < 3; i++) {
			want.node = (int[]){ 999, -1, 1 << 20 }[i];
			EXPECT_EQ(hresv_reserve(&want, &r), -ENODEV);
		}
		want.node = 0;
		want.flags = HRESV_INTERLEAVE | (is_private ? HRESV_PRIVATE : 0);
		REQUIRE_EQ(hresv_reserve(&want, &r), 0);
		hresv_release(r);
	}
	EXPECT_EQ(pool_free(PAGE), 2);
}

/* The same part any number of times, and all see the same. */
TEST(shared_reservation_is_mapped_as_often_as_wanted)
{
	struct hresv_reservation *r;
	char *a, *b, *c;
	void *none = &none;

	pool_set(PAGE, 3);
	r = reserved(3, 0);
	a = mapped(r, 0, 3);
	b = mapped(r, 1, 1);
	c = mapped(r, 1, 2);
	memset(b, 5, PAGE);
	EXPECT_EQ(a[PAGE], 5);
	EXPECT_EQ(c[PAGE - 1], 5);
	EXPECT_EQ(hresv_map(r, 0, 0, PROT_READ, &none), 0);
	EXPECT_EQ(((char *)none)[2 * PAGE - 1], 5);
	EXPECT_EQ(hresv_unmap(r, none, 3 * PAGE), 0);
	EXPECT_EQ(hresv_unmap(r, b, PAGE), 0);
	EXPECT_EQ(hresv_unmap(r, a, PAGE), 0);
	EXPECT_EQ(hresv_unmap(r, a + PAGE, 2 * PAGE), 0);
	hresv_release(r);
	EXPECT_EQ(c[0], 5);		/* outlives the handle */
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(hresv_free(c, 2 * PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 3);
}

TEST(private_part_is_mapped_once_at_a_time_and_zero_again)
{
	struct hresv_reservation *r;
	void *again = NULL;
	char *a;

	pool_set(PAGE, 3);
	r = reserved(3, HRESV_PRIVATE);
	for (int i = 0; i < 3; i++) {
		a = mapped(r, 1, 2);
		EXPECT_TRUE(is_zero(a, 2 * PAGE));
		fill_pages(a, 2 * PAGE, 9);
		EXPECT_EQ(hresv_map(r, PAGE, PAGE, 0, &again), -EBUSY);
		EXPECT_EQ(hresv_map(r, 0, 0, 0, &again), -EBUSY);
		EXPECT_EQ(hresv_unmap(r, a, PAGE), 0);
		EXPECT_EQ(hresv_unmap(r, a, PAGE), -EINVAL);
		EXPECT_EQ(hresv_unmap(r, a + PAGE, PAGE), 0);
	}
	a = mapped(r, 0, 1);
	EXPECT_EQ(hresv_map(r, PAGE, 0, PROT_READ, &again), 0);
	hresv_release(r);
	EXPECT_EQ(pool_free(PAGE), 0);	/* what is mapped stays */
	memset(a, 1, PAGE);
	EXPECT_EQ(hresv_free(a, PAGE), 0);
	EXPECT_EQ(hresv_free(again, 2 * PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 3);
}

static void shrinks(unsigned flags)
{
	struct hresv_reservation *r;
	char *at;

	pool_set(PAGE, 4);
	r = reserved(4, flags);
	at = mapped(r, 2, 1);
	EXPECT_EQ(hresv_shrink(r, 5 * PAGE), -ERANGE);
	EXPECT_EQ(hresv_shrink(r, PAGE), -EBUSY);
	EXPECT_EQ(held(r), 4);
	EXPECT_EQ(hresv_shrink(r, 2 * PAGE + 1), 0);
	EXPECT_EQ(held(r), 3);
	EXPECT_EQ(pool_free(PAGE), 1);
	memset(at, 3, PAGE);
	EXPECT_EQ(hresv_unmap(r, at, PAGE), 0);
	EXPECT_EQ(hresv_shrink(r, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 3);
	EXPECT_EQ(hresv_shrink(r, 0), 0);
	EXPECT_EQ(held(r), 0);
	hresv_release(r);
	EXPECT_EQ(pool_free(PAGE), 4);
}

TEST(shared_reservation_shrinks_but_not_under_a_mapping) { shrinks(0); }
TEST(private_reservation_shrinks_but_not_under_a_mapping) { shrinks(HRESV_PRIVATE); }

TEST(reservation_calls_with_bad_arguments_are_refused)
{
	struct hresv_want want = { .bytes = PAGE, .page_bytes = PAGE };
	struct hresv_reservation *r = NULL, *got;
	struct hresv_reservation_info info;
	void *at = &want;

	pool_set(PAGE, 2);
	EXPECT_EQ(hresv_reserve(NULL, &r), -EINVAL);
	EXPECT_EQ(hresv_reserve(&want, NULL), -EINVAL);
	EXPECT_EQ(hresv_reserve_all(&want, 0, &r), -EINVAL);
	EXPECT_EQ(hresv_reserve_all(&want, SIZE_MAX / 4, &r), -EOVERFLOW);
	EXPECT_EQ(hresv_reserve(&(struct hresv_want){ .page_bytes = PAGE }, &r), -EINVAL);
	EXPECT_EQ(hresv_reserve(&(struct hresv_want){ .bytes = SIZE_MAX, .page_bytes = PAGE }, &r),
		  -EOVERFLOW);
	EXPECT_EQ(hresv_reserve(&(struct hresv_want){ .bytes = 1, .page_bytes = 4096 }, &r), -ENOENT);
	EXPECT_EQ(hresv_reserve(&(struct hresv_want){ .bytes = 1, .page_bytes = 12345 }, &r), -ENOENT);
	for (unsigned bit = 0; bit < 32; bit++) {
		want.flags = 1u << bit;
		if (want.flags & (HRESV_PRIVATE | HRESV_LADDER | HRESV_ON_NODE | HRESV_INTERLEAVE))
			continue;
		EXPECT_EQ(hresv_reserve(&want, &r), -EINVAL);
	}
	want.flags = HRESV_ON_NODE | HRESV_INTERLEAVE;
	EXPECT_EQ(hresv_reserve(&want, &r), -EINVAL);
	want.flags = 0;
	want.node = 1;
	EXPECT_EQ(hresv_reserve(&want, &r), -EINVAL);
	want.node = 0;
	want.spare[3] = 1;
	EXPECT_EQ(hresv_reserve(&want, &r), -EINVAL);
	EXPECT_TRUE(!r);
	EXPECT_EQ(hresv_reservation_query(NULL, &info), -EINVAL);
	EXPECT_EQ(hresv_reservation_fd(NULL), -EINVAL);
	EXPECT_EQ(hresv_map(NULL, 0, 0, 0, &at), -EINVAL);
	EXPECT_EQ(hresv_unmap(NULL, at, PAGE), -EINVAL);
	EXPECT_EQ(hresv_shrink(NULL, 0), -EINVAL);
	hresv_release(NULL);
	for (int is_private = 0; is_private < 2; is_private++) {
		got = reserved(2, is_private ? HRESV_PRIVATE : 0);
		EXPECT_EQ(hresv_reservation_query(got, NULL), -EINVAL);
		EXPECT_EQ(hresv_map(got, 0, PAGE, 0, NULL), -EINVAL);
		EXPECT_EQ(hresv_map(got, 0, PAGE, 0x100, &at), -EINVAL);
		EXPECT_EQ(hresv_map(got, 4096, PAGE, 0, &at), -EINVAL);
		EXPECT_EQ(hresv_map(got, 0, 4096, 0, &at), -EINVAL);
		EXPECT_EQ(hresv_map(got, 2 * PAGE, 0, 0, &at), -ERANGE);
		EXPECT_EQ(hresv_map(got, PAGE, 2 * PAGE, 0, &at), -ERANGE);
		EXPECT_EQ(hresv_map(got, PAGE, SIZE_MAX - PAGE + 1, 0, &at), -ERANGE);
		EXPECT_EQ(hresv_unmap(got, (char *)at + 1, PAGE), -EINVAL);
		EXPECT_EQ(hresv_unmap(got, NULL, 0), -EINVAL);
		EXPECT_EQ(hresv_shrink(got, SIZE_MAX), -ERANGE);
		EXPECT_EQ(held(got), 2);
		if (is_private)
			EXPECT_EQ(hresv_reservation_fd(got), -EOPNOTSUPP);
		hresv_release(got);
	}
	EXPECT_EQ(pool_free(PAGE), 2);
}

/* Four threads at one handle, and at handles of their own. */
static struct hresv_reservation *common[2];

static void *map_and_unmap(void *arg)
{
	const size_t mine = (size_t)(uintptr_t)arg;

	for (int i = 0; i < 150; i++) {
		struct hresv_reservation *r = common[i & 1];
		char *at = mapped(r, mine, 1);

		EXPECT_TRUE(i < 2 || !(i & 1) || at[7] == 0);
		memset(at, (int)mine + 1, 4096);
		EXPECT_EQ(at[4095], (int)mine + 1);
		EXPECT_EQ(hresv_unmap(r, at, PAGE), 0);
		EXPECT_LE(held(r), 4);
		if (i % 16 == 0)
			EXPECT_TRUE(try_reserve(1, i & 16 ? HRESV_PRIVATE : 0) <= 0);
	}
	return NULL;
}

TEST(threads_share_reservations)
{
	pthread_t thread[4];

	pool_set(PAGE, 10);
	common[0] = reserved(4, 0);
	common[1] = reserved(4, HRESV_PRIVATE);
	for (size_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, map_and_unmap, (void *)(uintptr_t)i);
	for (size_t i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(held(common[0]), 4);
	EXPECT_EQ(held(common[1]), 4);
	hresv_release(common[0]);
	hresv_release(common[1]);
	EXPECT_EQ(pool_free(PAGE), 10);
}
