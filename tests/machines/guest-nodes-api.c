/* SPDX-License-Identifier: MIT */
// timeout: 200
/*
 * The API on two nodes of memory, in an emulated machine: what is asked of a node lies there, and a
 * node that is short is known before anybody touches anything.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "include/hresv.h"
#include "tests/harness/memory.h"
#include "tests/machines/nodes.h"

static size_t pages_on(void *at, size_t pages, int node)
{
	size_t n = 0;

	for (size_t i = 0; i < pages; i++)
		n += node_of((char *)at + i * PAGE) == node;
	return n;
}

TEST(alloc_lies_on_the_node_that_was_asked_for)
{
	struct hresv_want want = { .bytes = 3 * PAGE, .flags = HRESV_ON_NODE };
	size_t huge = 0;
	void *at;

	two_pools(3, 3);
	for (want.node = 0; want.node < 2; want.node++) {
		REQUIRE_EQ(hresv_alloc(&want, &at, &huge), 0);
		EXPECT_EQ(huge, 3 * PAGE);
		EXPECT_EQ(pages_on(at, 3, want.node), 3);
		EXPECT_EQ(hresv_free(at, 3 * PAGE), 0);
	}
}

TEST(alloc_on_a_short_node_has_its_pages_and_small_ones_of_the_same_node)
{
	struct hresv_want want = { .bytes = 4 * PAGE, .flags = HRESV_ON_NODE, .node = 1 };
	struct hresv_counters before, after;
	size_t huge = 0;
	void *at;

	two_pools(6, 2);
	hresv_counters_read(&before, sizeof(before));
	REQUIRE_EQ(hresv_alloc(&want, &at, &huge), 0);
	EXPECT_EQ(huge, 2 * PAGE);
	memset(at, 1, 4 * PAGE);
	EXPECT_EQ(pages_on(at, 4, 1), 4);
	hresv_counters_read(&after, sizeof(after));
	EXPECT_EQ(after.small[HRESV_NODE] - before.small[HRESV_NODE], 2 * PAGE);
	EXPECT_EQ(hresv_free(at, 4 * PAGE), 0);
	want.flags |= HRESV_STRICT;
	EXPECT_EQ(hresv_alloc(&want, &at, &huge), HRESV_SHORT(HRESV_NODE));
	EXPECT_EQ(pool_free(PAGE), 8);
}

TEST(alloc_interleaved_lies_on_both_nodes)
{
	struct hresv_want want = { .bytes = 6 * PAGE, .flags = HRESV_INTERLEAVE };
	void *at;

	two_pools(4, 4);
	REQUIRE_EQ(hresv_alloc(&want, &at, NULL), 0);
	EXPECT_EQ(pages_on(at, 6, 0), 3);
	EXPECT_EQ(pages_on(at, 6, 1), 3);
	EXPECT_EQ(hresv_free(at, 6 * PAGE), 0);
}

static void reserve_on_nodes(unsigned flags)
{
	struct hresv_want want = { .bytes = 3 * PAGE, .flags = flags | HRESV_ON_NODE };
	struct hresv_reservation *r;
	void *at;

	two_pools(2, 4);
	want.node = 0;
	EXPECT_EQ(hresv_reserve(&want, &r), HRESV_SHORT(HRESV_NODE));
	EXPECT_EQ(pool_free(PAGE), 6);
	EXPECT_EQ(pool_resv(PAGE), 0);
	want.node = 1;
	REQUIRE_EQ(hresv_reserve(&want, &r), 0);
	REQUIRE_EQ(hresv_map(r, 0, 0, 0, &at), 0);
	memset(at, 1, 3 * PAGE);
	EXPECT_EQ(pages_on(at, 3, 1), 3);
	EXPECT_EQ(hresv_unmap(r, at, 3 * PAGE), 0);
	hresv_release(r);
	want.flags = flags | HRESV_INTERLEAVE;
	want.node = 0;
	want.bytes = 4 * PAGE;
	REQUIRE_EQ(hresv_reserve(&want, &r), 0);
	REQUIRE_EQ(hresv_map(r, 0, 0, 0, &at), 0);
	memset(at, 1, 4 * PAGE);
	EXPECT_EQ(pages_on(at, 4, 0), 2);
	EXPECT_EQ(hresv_unmap(r, at, 4 * PAGE), 0);
	hresv_release(r);
	EXPECT_EQ(pool_free(PAGE), 6);
}

TEST(shared_reservation_is_on_its_node_or_refused) { reserve_on_nodes(0); }
TEST(private_reservation_is_on_its_node_or_refused) { reserve_on_nodes(HRESV_PRIVATE); }

TEST(budget_of_a_node_is_what_that_node_has)
{
	struct hresv_budget b;
	struct hresv_pool pool;
	unsigned long second = 2;

	two_pools(1, 5);
	REQUIRE_EQ(hresv_budget_query(PAGE, 0, &b), 0);
	EXPECT_EQ(b.bytes, PAGE);
	EXPECT_EQ(b.binds, HRESV_NODE);
	REQUIRE_EQ(hresv_budget_query(PAGE, 1, &b), 0);
	EXPECT_EQ(b.bytes, 5 * PAGE);
	REQUIRE_EQ(hresv_pool_query(PAGE, 1, &pool), 0);
	EXPECT_EQ(pool.free, 5);
	REQUIRE_EQ(hresv_budget_query(PAGE, HRESV_ALL_NODES, &b), 0);
	EXPECT_EQ(b.bytes, 6 * PAGE);
	REQUIRE_EQ(syscall(SYS_set_mempolicy, 2, &second, 64), 0);	/* MPOL_BIND */
	REQUIRE_EQ(hresv_budget_query(PAGE, HRESV_ALL_NODES, &b), 0);
	EXPECT_EQ(b.bytes, 5 * PAGE);
	EXPECT_EQ(b.binds, HRESV_NODE);
}
