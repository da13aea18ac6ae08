// SPDX-License-Identifier: MIT
/*
 * The public API with its n-th system call failing: it works, or it is refused with an error, and
 * nothing is left behind.
 */
#include "include/hresv.h"
#include "tests/faults/held.h"
#include "tests/faults/old.h"

#define BYTES (3 * PAGE)

static struct hresv_reservation *made;

/* An error of ours, or of a system call; never anything else. */
static bool is_error(int err)
{
	return err < 0 && err > -4096 - 64;
}

static struct hresv_want wanted(unsigned flags)
{
	return (struct hresv_want){ .bytes = BYTES, .page_bytes = PAGE, .flags = flags };
}

static int reserve_once(unsigned flags)
{
	const struct hresv_want want = wanted(flags);
	struct hresv_reservation *r = NULL;
	int err = hresv_reserve(&want, &r);

	EXPECT_EQ(err == 0, r != NULL);
	faults_disarm();
	hresv_release(r);
	return err;
}

static int reserve_shared(void) { return reserve_once(0); }
static int reserve_private(void) { return reserve_once(HRESV_PRIVATE); }
static int reserve_on_node(void) { return reserve_once(HRESV_ON_NODE); }
static int reserve_interleaved(void) { return reserve_once(HRESV_PRIVATE | HRESV_INTERLEAVE); }

static int reserve_two(void)
{
	struct hresv_want wants[2] = { wanted(0), wanted(HRESV_PRIVATE) };
	struct hresv_reservation *r[2] = { NULL, NULL };
	int err;

	wants[0].bytes = PAGE;
	wants[1].bytes = 2 * PAGE;
	err = hresv_reserve_all(wants, 2, r);
	EXPECT_EQ(err == 0, r[0] && r[1]);
	EXPECT_EQ(err != 0, !r[0] && !r[1]);
	faults_disarm();
	hresv_release(r[0]);
	hresv_release(r[1]);
	return err;
}

static int map_some(void)
{
	void *at = NULL;
	int err = hresv_map(made, PAGE, PAGE, PROT_READ | PROT_WRITE, &at);

	faults_disarm();
	EXPECT_EQ(err == 0, at != NULL);
	if (err)
		return err;
	fill_pages(at, PAGE, 3);
	EXPECT_TRUE(holds_pages(at, PAGE, 3));
	EXPECT_EQ(hresv_unmap(made, at, PAGE), 0);
	return 0;
}

static int open_again(void)
{
	struct hresv_reservation *r = NULL;
	int err = hresv_reservation_open(hresv_reservation_fd(made), &r);

	faults_disarm();
	EXPECT_EQ(err == 0, r != NULL);
	hresv_release(r);
	return err;
}

static int query(void)
{
	struct hresv_reservation_info info;

	return hresv_reservation_query(made, &info);
}

static int allocate(unsigned flags)
{
	const struct hresv_want want = { .bytes = BYTES + 4096, .flags = flags };
	size_t huge = 0;
	void *at = NULL;
	int err = hresv_alloc(&want, &at, &huge);

	faults_disarm();
	EXPECT_EQ(err == 0, at != NULL);
	if (err)
		return err;
	EXPECT_EQ(huge, stats_held());
	fill_pages(at, want.bytes, 5);
	EXPECT_TRUE(holds_pages(at, want.bytes, 5));
	EXPECT_EQ(hresv_free(at, want.bytes), 0);
	return 0;
}

static int alloc_partly(void) { return allocate(0); }
static int alloc_strictly(void) { return allocate(HRESV_STRICT); }
static int alloc_on_node(void) { return allocate(HRESV_ON_NODE); }

static int query_facts(void)
{
	struct hresv_pool pool;
	struct hresv_budget budget;
	int err = hresv_pool_query(PAGE, HRESV_ALL_NODES, &pool);
	int other = hresv_budget_query(PAGE, 0, &budget);

	return err ? err : other;
}

static int set_policy(void)
{
	const struct hresv_policy p = { .set = HRESV_SET_LIMIT, .limit_bytes = 9 * PAGE };

	return hresv_policy_set(&p);
}

/* Counters that can't be read now leave the words that need none. */
static int explain(void)
{
	char text[200];

	for (int why = 0; why < 30; why++)
		EXPECT_GT(hresv_explain(HRESV_SHORT(why), PAGE, text, sizeof(text)), 0);
	return 0;
}

static int sizes(void)
{
	size_t bytes[16];

	EXPECT_LE(hresv_page_sizes(bytes, 16), 16);
	hresv_default_page_bytes();
	return 0;
}

static void fail_each(const char *name, int (*run)(void))
{
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();
			int got;

			faults_arm(nth, err);
			got = run();
			fired = faults_fired();
			if (got != 0 && !(fired && is_error(got)))
				held_tell(name, nth, err);
			EXPECT_TRUE(got == 0 || (fired && is_error(got)));
			held_expect(&before, name, nth, err);
		}
}

#define FAIL_EACH(run)                   \
	do {                             \
		pool_set(PAGE, 8);	/* four on each of two nodes */ \
		held_grow_records();     \
		fail_each(#run, run);    \
	} while (0)

TEST(reserve_shared_works_or_is_refused) { FAIL_EACH(reserve_shared); }
TEST(reserve_private_works_or_is_refused) { FAIL_EACH(reserve_private); }
TEST(reserve_on_a_node_works_or_is_refused) { FAIL_EACH(reserve_on_node); }
TEST(reserve_interleaved_works_or_is_refused) { FAIL_EACH(reserve_interleaved); }
TEST(reserve_all_works_or_leaves_none) { FAIL_EACH(reserve_two); }
TEST(alloc_works_or_is_refused) { FAIL_EACH(alloc_partly); }
TEST(alloc_strict_works_or_is_refused) { FAIL_EACH(alloc_strictly); }
TEST(alloc_on_a_node_works_or_is_refused) { FAIL_EACH(alloc_on_node); }
TEST(facts_are_told_or_an_error) { FAIL_EACH(query_facts); }
TEST(policy_is_set_or_an_error) { FAIL_EACH(set_policy); }
TEST(error_is_explained_whatever_can_be_read) { FAIL_EACH(explain); }
TEST(sizes_are_told_whatever_can_be_read) { FAIL_EACH(sizes); }

/* The descriptor is the process' for good: once one was had, it is the same. */
TEST(fallback_descriptor_is_had_or_an_error)
{
	int got = -1, again;

	pool_set(PAGE, 1);
	for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
		const bool had = got >= 0;

		faults_arm(nth, EMFILE);
		again = hresv_fallback_fd();
		fired = faults_fired();
		EXPECT_TRUE(again >= 0 || (fired && is_error(again)));
		EXPECT_TRUE(!had || again == got);
		got = again;
	}
	EXPECT_GE(got, 0);
	close(got);
}

static void with_reservation(unsigned flags, const char *name, int (*run)(void))
{
	const struct hresv_want want = wanted(flags);

	pool_set(PAGE, 4);
	held_grow_records();
	REQUIRE_EQ(hresv_reserve(&want, &made), 0);
	fail_each(name, run);
	hresv_release(made);
}

TEST(shared_part_is_mapped_or_refused) { with_reservation(0, "map", map_some); }
TEST(private_part_is_mapped_or_refused) { with_reservation(HRESV_PRIVATE, "map", map_some); }
TEST(descriptor_is_opened_or_refused) { with_reservation(0, "open", open_again); }
TEST(reservation_is_told_or_an_error) { with_reservation(0, "query", query); }

/* Cut, or as it was; and never under a mapping. */
static void shrink_failing(unsigned flags)
{
	pool_set(PAGE, 4);
	held_grow_records();
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct hresv_want want = wanted(flags);
			const struct held before = held_now();
			struct hresv_reservation_info info;
			int got;

			REQUIRE_EQ(hresv_reserve(&want, &made), 0);
			faults_arm(nth, err);
			got = hresv_shrink(made, PAGE);
			fired = faults_fired();
			EXPECT_TRUE(got == 0 || (fired && is_error(got)));
			REQUIRE_EQ(hresv_reservation_query(made, &info), 0);
			EXPECT_EQ(info.bytes, got ? BYTES : PAGE);
			hresv_release(made);
			held_expect(&before, "shrink", nth, err);
		}
}

TEST(shared_reservation_shrinks_or_is_as_it_was) { shrink_failing(0); }
TEST(private_reservation_shrinks_or_is_as_it_was) { shrink_failing(HRESV_PRIVATE); }

/* Unmapped, or pages are lost to the reservation and said to be; nothing leaks. */
TEST(private_part_is_unmapped_whatever_fails)
{
	pool_set(PAGE, 4);
	held_grow_records();
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct hresv_want want = wanted(HRESV_PRIVATE);
			const struct held before = held_now();
			struct hresv_reservation_info info;
			void *at;
			int got;

			REQUIRE_EQ(hresv_reserve(&want, &made), 0);
			REQUIRE_EQ(hresv_map(made, 0, 0, 0, &at), 0);
			fill_pages(at, BYTES, 2);
			faults_arm(nth, err);
			got = hresv_unmap(made, at, BYTES);
			fired = faults_fired();
			EXPECT_TRUE(got == 0 || (fired && is_error(got)));
			REQUIRE_EQ(hresv_reservation_query(made, &info), 0);
			EXPECT_EQ(info.bytes + info.lost_bytes, BYTES);
			EXPECT_EQ(stats_held(), info.bytes);
			hresv_release(made);
			held_expect(&before, "unmap", nth, err);
		}
}

/* Content stays, whichever call fails. */
TEST(take_again_keeps_the_content_whatever_fails)
{
	pool_set(PAGE, 4);
	held_grow_records();
	for (int i = 0; i < 3; i++) {
		const int err = i < 2 ? ENOMEM : EINVAL;

		held_warming = i == 0;
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct hresv_want want = { .bytes = BYTES };
			const struct held before = held_now();
			void *at;
			int got;

			REQUIRE_EQ(hresv_alloc(&want, &at, NULL), 0);
			EXPECT_EQ(hresv_give_back(at, BYTES), 0);
			fill_pages(at, BYTES, 7);
			faults_arm(nth, err);
			got = hresv_take_again(at, BYTES, NULL);
			fired = faults_fired();
			EXPECT_TRUE(got == 0 || (fired && is_error(got)));
			EXPECT_TRUE(holds_pages(at, BYTES, 7));
			EXPECT_EQ(hresv_huge_bytes(at, BYTES), stats_held());
			EXPECT_EQ(hresv_free(at, BYTES), 0);
			held_expect(&before, "take_again", nth, err);
		}
	}
}

/* The same for what is given back, resized and freed in part: done, or all is as it was. */
static void change_failing(const char *name, int (*change)(char **at, size_t *bytes))
{
	pool_set(PAGE, 8);
	held_grow_records();
	for (int i = 0; i < 4; i++) {
		static const int errors[] = { ENOMEM, ENOMEM, EINVAL, EPERM };

		held_warming = i == 0;
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct hresv_want want = { .bytes = BYTES };
			const struct held before = held_now();
			size_t bytes = BYTES;
			char *at;
			int got;

			REQUIRE_EQ(hresv_alloc(&want, (void **)&at, NULL), 0);
			fill_pages(at, BYTES, 7);
			faults_arm(nth, errors[i]);
			got = change(&at, &bytes);
			fired = faults_fired();
			EXPECT_TRUE(got == 0 || (fired && is_error(got)));
			/* What was asked about is the last page, or lies behind. */
			EXPECT_TRUE(holds_pages(at, 2 * PAGE, 7));
			if (got)
				EXPECT_TRUE(holds_pages(at, bytes, 7));
			EXPECT_EQ(hresv_free(at, bytes), 0);
			held_expect(&before, name, nth, errors[i]);
		}
	}
}

static int give_back_last(char **at, size_t *bytes)
{
	return hresv_give_back(*at + *bytes - PAGE, PAGE);
}

static int give_back_within(char **at, size_t *bytes)
{
	return hresv_give_back(*at + *bytes - 8192, 4096);
}

static int resize_to(char **at, size_t *bytes, size_t to)
{
	void *moved = NULL;
	int err = hresv_resize(*at, *bytes, to, &moved);

	EXPECT_EQ(err == 0, moved != NULL);
	if (!err) {
		*at = moved;
		*bytes = to;
	}
	return err;
}

static int grow(char **at, size_t *bytes) { return resize_to(at, bytes, *bytes + PAGE); }
static int shrink(char **at, size_t *bytes) { return resize_to(at, bytes, *bytes - PAGE); }

static int free_last(char **at, size_t *bytes)
{
	int err = hresv_free(*at + *bytes - 4096, 4096);

	if (!err)
		*bytes -= 4096;
	return err;
}

TEST(given_back_or_as_it_was) { change_failing("give_back", give_back_last); }
TEST(given_back_in_part_or_as_it_was) { change_failing("give_back in part", give_back_within); }
TEST(memory_grows_or_is_as_it_was) { change_failing("resize", grow); }
TEST(memory_shrinks_or_is_as_it_was) { change_failing("resize", shrink); }
TEST(memory_is_freed_in_part_or_is_as_it_was) { change_failing("free", free_last); }

/* Linux 5.4: nothing populates, nothing huge moves. */
TEST(api_works_on_old_kernels)
{
	pool_set(PAGE, 4);
	old_kernel(OLD_NO_HUGE_MREMAP | OLD_NO_POPULATE | OLD_NO_UFFD);
	EXPECT_EQ(reserve_shared(), 0);
	EXPECT_EQ(reserve_private(), 0);
	EXPECT_EQ(alloc_partly(), 0);
	EXPECT_EQ(alloc_strictly(), 0);
	old_kernel(0);
	EXPECT_EQ(pool_free(PAGE), 4);
}
