// SPDX-License-Identifier: MIT
/* What can be had, who binds it, and the words for it. */
#include <string.h>

#include "include/hresv.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)

TEST(page_sizes_are_ascending_and_hold_the_default)
{
	size_t sizes[16] = { 0 }, n = hresv_page_sizes(sizes, 16), have_default = 0;

	REQUIRE_TRUE(n >= 1 && n <= 16);
	for (size_t i = 0; i < n; i++) {
		EXPECT_TRUE(i == 0 || sizes[i] > sizes[i - 1]);
		have_default += sizes[i] == hresv_default_page_bytes();
	}
	EXPECT_EQ(have_default, 1);
	EXPECT_EQ(hresv_default_page_bytes(), pool_default_page_bytes());
	EXPECT_EQ(hresv_page_sizes(NULL, 0), n);
	sizes[0] = 7;
	EXPECT_EQ(hresv_page_sizes(sizes, 0), n);
	EXPECT_EQ(sizes[0], 7);
}

TEST(pool_query_tells_what_the_kernel_does)
{
	struct hresv_pool pool;

	pool_set(PAGE, 5);
	REQUIRE_EQ(hresv_pool_query(PAGE, HRESV_ALL_NODES, &pool), 0);
	EXPECT_EQ(pool.total, pool_total(PAGE));
	EXPECT_EQ(pool.free, pool_free(PAGE));
	EXPECT_EQ(pool.reserved, pool_resv(PAGE));
	EXPECT_EQ(pool.promised, 0);
	REQUIRE_EQ(hresv_pool_query(PAGE, 0, &pool), 0);
	EXPECT_LE(pool.total, pool_total(PAGE));
}

TEST(pool_query_with_bad_arguments_is_refused)
{
	struct hresv_pool pool = { .total = 77 };

	EXPECT_EQ(hresv_pool_query(PAGE, HRESV_ALL_NODES, NULL), -EINVAL);
	EXPECT_EQ(hresv_pool_query(PAGE, -2, &pool), -EINVAL);
	EXPECT_EQ(hresv_pool_query(PAGE + 1, HRESV_ALL_NODES, &pool), -EINVAL);
	EXPECT_EQ(hresv_pool_query(8 * MIB, HRESV_ALL_NODES, &pool), -ENOENT);
	EXPECT_EQ(hresv_pool_query(PAGE, 1000, &pool), -ENOENT);
	EXPECT_EQ(hresv_pool_query(PAGE, 0x7fffffff, &pool), -ENOENT);
	EXPECT_EQ(pool.total, 77);
}

TEST(budget_is_the_pool_where_nothing_else_binds)
{
	struct hresv_budget b;

	pool_set(PAGE, 5);
	REQUIRE_EQ(hresv_budget_query(PAGE, HRESV_ALL_NODES, &b), 0);
	EXPECT_EQ(b.bytes, 5 * PAGE);
	EXPECT_EQ(b.binds, HRESV_POOL);
	EXPECT_EQ(1ull << b.page_bytes_log2, PAGE);
}

TEST(budget_names_the_control_group_that_binds)
{
	struct hresv_budget b;
	char text[400];

	pool_set(PAGE, 5);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 2 * PAGE);
	cgroup_join("pod", 0);
	REQUIRE_EQ(hresv_budget_query(PAGE, HRESV_ALL_NODES, &b), 0);
	EXPECT_EQ(b.bytes, 2 * PAGE);
	EXPECT_EQ(b.binds, HRESV_CGROUP_FAULT);
	EXPECT_EQ(b.limit, 2 * PAGE);
	EXPECT_EQ(b.used, 0);
	EXPECT_CONTAINS(b.where, "pod");
	hresv_explain(HRESV_SHORT(HRESV_CGROUP_FAULT), PAGE, text, sizeof(text));
	EXPECT_CONTAINS(text, "pod");
	EXPECT_CONTAINS(text, "4194304");
}

TEST(budget_names_the_own_limit)
{
	const struct hresv_policy policy = { .set = HRESV_SET_LIMIT, .limit_bytes = PAGE };
	struct hresv_budget b;

	pool_set(PAGE, 5);
	EXPECT_EQ(hresv_policy_set(&policy), 0);
	REQUIRE_EQ(hresv_budget_query(PAGE, HRESV_ALL_NODES, &b), 0);
	EXPECT_EQ(b.bytes, PAGE);
	EXPECT_EQ(b.binds, HRESV_OWN_LIMIT);
	EXPECT_EQ(b.limit, PAGE);
}

TEST(budget_with_bad_arguments_is_refused)
{
	struct hresv_budget b = { .bytes = 77 };

	EXPECT_EQ(hresv_budget_query(PAGE, HRESV_ALL_NODES, NULL), -EINVAL);
	EXPECT_EQ(hresv_budget_query(PAGE, -7, &b), -EINVAL);
	EXPECT_EQ(hresv_budget_query(3 * MIB, 0, &b), -EINVAL);
	EXPECT_EQ(hresv_budget_query(8 * MIB, 0, &b), -ENOENT);
	EXPECT_EQ(hresv_budget_query(PAGE, 1001, &b), -ENOENT);
	EXPECT_EQ(b.bytes, 77);
}

TEST(every_reason_has_a_name_and_words_of_its_own)
{
	for (int why = 0; why < HRESV_OTHER; why++) {
		EXPECT_TRUE(strcmp(hresv_reason_name((enum hresv_reason)why), "other") != 0);
		if (why == 0)
			continue;
		EXPECT_EQ(hresv_reason_of(HRESV_SHORT(why)), why);
		EXPECT_TRUE(strcmp(hresv_strerror(HRESV_SHORT(why)), "unknown error") != 0);
		for (int other = 1; other < why; other++)
			EXPECT_TRUE(strcmp(hresv_strerror(HRESV_SHORT(why)),
					   hresv_strerror(HRESV_SHORT(other))) != 0);
	}
	EXPECT_STR_EQ(hresv_reason_name(HRESV_POOL), "pool-short");
	EXPECT_STR_EQ(hresv_reason_name(HRESV_CGROUP_FAULT), "cgroup-fault");
	EXPECT_STR_EQ(hresv_reason_name(HRESV_NODE), "node-short");
	EXPECT_STR_EQ(hresv_reason_name(HRESV_STATIC_OR_SETUID), "static-or-setuid");
}

TEST(words_for_any_number_are_never_null)
{
	static const int errors[] = { 0, 1, -1, -ENOMEM, -4095, -4096, -4096 - 27, -4096 - 28,
				      -100000, INT32_MIN, INT32_MAX };
	char text[8];

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		EXPECT_TRUE(hresv_strerror(errors[i]) != NULL);
		EXPECT_TRUE(hresv_reason_name((enum hresv_reason)errors[i]) != NULL);
		EXPECT_GT(hresv_explain(errors[i], 0, NULL, 0), 0);
		hresv_explain(errors[i], 12345, text, sizeof(text));
		EXPECT_TRUE(strlen(text) < sizeof(text));
	}
	EXPECT_STR_EQ(hresv_strerror(-ENOMEM), "Cannot allocate memory");
	EXPECT_EQ(hresv_reason_of(-ENOMEM), HRESV_HUGE);
	EXPECT_EQ(hresv_reason_of(-100000), HRESV_OTHER);
}
