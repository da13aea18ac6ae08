// SPDX-License-Identifier: MIT
/* The statistics page: what it keeps, what it says, and what a reader may rely on. */
#include <pthread.h>
#include <string.h>

#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "tests/harness/harness.h"

/* What no reader and no other code may do: tests play a writer that died. */
static struct stats_page *page(void)
{
	return (struct stats_page *)stats_page();
}

static void decide(uintptr_t at, size_t asked, size_t huge, enum reason why)
{
	stats_decide(&(struct decision){ .call = "mmap", .at = at, .asked = asked, .huge = huge,
					 .page_bytes = 2 * MIB, .why = why });
}

TEST(every_use_and_reason_has_a_name_of_its_own)
{
	for (int i = 0; i < USE_N; i++) {
		REQUIRE_TRUE(use_name((enum use)i) != NULL);
		for (int k = 0; k < i; k++)
			EXPECT_NE(strcmp(use_name((enum use)i), use_name((enum use)k)), 0);
	}
	for (int i = 0; i < REASON_N; i++) {
		REQUIRE_TRUE(reason_name((enum reason)i) != NULL);
		for (int k = 0; k < i; k++)
			EXPECT_NE(strcmp(reason_name((enum reason)i), reason_name((enum reason)k)), 0);
	}
}

TEST(page_says_what_it_is_before_anything_is_counted)
{
	EXPECT_EQ(memcmp(stats_page()->magic, STATS_MAGIC, 8), 0);
	EXPECT_EQ(stats_page()->version, STATS_VERSION);
	EXPECT_EQ(stats_page()->bytes, sizeof(struct stats_page));
	EXPECT_EQ(stats_page()->pid, 0);
}

TEST(decisions_are_kept_with_the_pool_as_it_was)
{
	const struct pool pool = { .total = 9, .free = 3, .reserved = 1 };
	const struct stats_record *r = &stats_page()->record[0];

	stats_pool(2 * MIB, &pool);
	decide(4 * GIB, 8 * MIB, 6 * MIB, REASON_POOL_SHORT);
	EXPECT_EQ(r->number, 1);
	EXPECT_EQ(r->at, 4 * GIB);
	EXPECT_EQ(r->asked, 8 * MIB);
	EXPECT_EQ(r->huge, 6 * MIB);
	EXPECT_EQ(r->why, REASON_POOL_SHORT);
	EXPECT_EQ(r->pool_free, 3);
	EXPECT_EQ(r->pool_total, 9);
	EXPECT_STR_EQ(r->call, "mmap");
	EXPECT_EQ(stats_get()->size[0].page_bytes, 2 * MIB);
	EXPECT_EQ(stats_get()->size[0].small[REASON_POOL_SHORT], 2 * MIB);
	EXPECT_EQ(stats_page()->pid, getpid());
}

TEST(decisions_beyond_the_last_are_written_over_in_turn)
{
	for (uintptr_t i = 1; i <= 2 * STATS_RECORDS + 3; i++)
		decide(i, 2 * MIB, 2 * MIB, REASON_NONE);
	EXPECT_EQ(stats_page()->decided, 2 * STATS_RECORDS + 3);
	EXPECT_EQ(stats_page()->record[2].number, 2 * STATS_RECORDS + 3);
	EXPECT_EQ(stats_page()->record[2].at, 2 * STATS_RECORDS + 3);
	EXPECT_EQ(stats_page()->record[3].number, STATS_RECORDS + 4);
	EXPECT_EQ(stats_page()->lost, 0);
}

/* A thread that was interrupted in the middle owns its record until it is done. */
TEST(record_that_is_being_written_is_left_alone_and_counted)
{
	page()->record[0].number = 1 | STATS_BUSY;
	decide(77, 2 * MIB, 0, REASON_STACK);
	EXPECT_EQ(stats_page()->record[0].at, 0);
	EXPECT_EQ(stats_page()->lost, 1);
	decide(78, 2 * MIB, 0, REASON_STACK);
	EXPECT_EQ(stats_page()->record[1].at, 78);
}

TEST(long_names_of_calls_are_cut_and_ended)
{
	stats_decide(&(struct decision){ .call = "a name that is much too long", .asked = 1 });
	EXPECT_STR_EQ(stats_page()->record[0].call, "a name that is ");
}

TEST(child_counts_anew_and_holds_what_it_inherited)
{
	stats_request(USE_MMAP, 8 * MIB);
	stats_hold(8 * MIB);
	decide(4 * GIB, 8 * MIB, 8 * MIB, REASON_NONE);
	stats_renew();
	EXPECT_EQ(stats_get()->use[USE_MMAP].requests, 0);
	EXPECT_EQ(stats_held(), 8 * MIB);
	EXPECT_EQ(stats_page()->decided, 0);
	EXPECT_EQ(stats_page()->record[0].number, 0);
	EXPECT_EQ(stats_page()->pid, 0);
	decide(4 * GIB, 2 * MIB, 2 * MIB, REASON_NONE);
	EXPECT_EQ(stats_page()->pid, getpid());
}

/* 4 MiB huge and 6 MiB small at once is 5 pages; what was freed before does not add up. */
TEST(wanted_is_the_fullest_moment_and_not_the_sum)
{
	const uintptr_t at = 64 * GIB;
	const page_word small = word_make(PAGE_SMALL, 3, 4096, USE_MMAP);
	bool at_most;

	REQUIRE_EQ(pagemap_prepare(at, at + 64 * MIB), 0);
	stats_hold(4 * MIB);
	for (int i = 0; i < 5; i++) {
		pagemap_set(at, at + 6 * MIB, small);
		stats_small(USE_MMAP, 6 * MIB, REASON_POOL_SHORT);
		decide(at, 6 * MIB, 0, REASON_POOL_SHORT);
		pagemap_set(at, at + 6 * MIB, 0);
	}
	EXPECT_EQ(pagemap_small_bytes(), 0);
	EXPECT_EQ(stats_wanted_pages(2 * MIB, &at_most), 5);
	EXPECT_FALSE(at_most);
	stats_small(USE_MMAP, 6 * MIB, REASON_NOT_YET);
	stats_wanted_pages(2 * MIB, &at_most);
	EXPECT_TRUE(at_most);
}

/* A program that asks again and again for the same needs it once. */
TEST(wanted_counts_a_repeated_request_of_the_programs_own_once)
{
	bool at_most;

	for (int i = 0; i < 100; i++)
		stats_decide(&(struct decision){ .call = "own huge mmap", .own = true,
						 .asked = 8 * MIB, .page_bytes = 2 * MIB,
						 .why = REASON_POOL_SHORT });
	EXPECT_EQ(stats_get()->guarded_refused, 100);
	EXPECT_EQ(stats_wanted_pages(2 * MIB, &at_most), 4);
}

TEST(segments_that_are_small_for_want_of_pages_are_wanted)
{
	struct decision d = { .call = "shmget", .use = USE_SHM, .asked = 8 * MIB,
			      .page_bytes = 2 * MIB, .why = REASON_POOL_SHORT };
	bool at_most;

	stats_decide(&d);
	EXPECT_EQ(stats_wanted_pages(2 * MIB, &at_most), 4);
	d.why = REASON_FILTERED;
	stats_decide(&d);
	EXPECT_EQ(stats_wanted_pages(2 * MIB, &at_most), 4);
}

/* The part that is huge is held; what of private memory is small the words say. */
TEST(small_part_of_a_shared_mapping_is_wanted)
{
	struct decision d = { .call = "mmap", .use = USE_MMAP, .asked = 8 * MIB, .huge = 2 * MIB,
			      .page_bytes = 2 * MIB, .why = REASON_POOL_SHORT };
	bool at_most;

	stats_decide(&d);
	EXPECT_EQ(stats_wanted_pages(2 * MIB, &at_most), 0);
	d.shared = true;
	stats_decide(&d);
	EXPECT_EQ(stats_wanted_pages(2 * MIB, &at_most), 3);
}

TEST(small_heap_that_is_given_back_is_wanted_no_more)
{
	bool at_most;

	stats_heap_small(8 * MIB);
	stats_heap_no_more(4 * MIB);
	EXPECT_EQ(stats_get()->heap_small_now, 4 * MIB);
	stats_heap_no_more(6 * MIB);
	EXPECT_EQ(stats_get()->heap_small_now, 0);
	EXPECT_EQ(stats_wanted_pages(2 * MIB, &at_most), 0);
}

enum { THREADS = 4, ROUNDS = 20000 };

/* Each field of a record tells which thread wrote it. */
static void *decide_much(void *arg)
{
	const uintptr_t me = (uintptr_t)arg;

	for (int i = 0; i < ROUNDS; i++)
		stats_decide(&(struct decision){ .call = "mmap", .at = me, .asked = me * 10,
						 .huge = me * 10, .page_bytes = 2 * MIB });
	return NULL;
}

TEST(records_of_many_threads_are_whole)
{
	pthread_t threads[THREADS];
	uint64_t asked = 0, whole = 0;

	for (uintptr_t i = 0; i < THREADS; i++) {
		REQUIRE_EQ(pthread_create(&threads[i], NULL, decide_much, (void *)(i + 1)), 0);
		asked += (i + 1) * 10 * ROUNDS;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(stats_get()->size[0].requests, THREADS * ROUNDS);
	EXPECT_EQ(stats_get()->size[0].asked, asked);
	for (int i = 0; i < STATS_RECORDS; i++) {
		const struct stats_record *r = &stats_page()->record[i];

		EXPECT_EQ(r->number & STATS_BUSY, 0);
		EXPECT_EQ(r->asked, r->at * 10);
		EXPECT_EQ(r->huge, r->at * 10);
		whole++;
	}
	EXPECT_EQ(whole, STATS_RECORDS);
}
