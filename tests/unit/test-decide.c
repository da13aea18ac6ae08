/* SPDX-License-Identifier: MIT */
/* What is rerouted, how much may be promised, and what the reasons are called: as tables. */
#include <linux/mman.h>
#include <string.h>
#include <sys/mman.h>

#include "core/decide/budget.h"
#include "core/decide/eligible.h"
#include "core/decide/request.h"
#include "tests/harness/harness.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

TEST(eligible_tells_each_kind_of_request)
{
	static const struct {
		size_t bytes;
		int prot, flags;
		enum verdict verdict;
		enum reason why;
	} rows[] = {
		{ PAGE, RW, ANON, VERDICT_REROUTE, REASON_NONE },
		{ PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, VERDICT_REROUTE, REASON_NONE },
		{ PAGE, RW | PROT_EXEC, ANON, VERDICT_REROUTE, REASON_NONE },
		{ PAGE, RW, ANON | MAP_POPULATE | MAP_LOCKED, VERDICT_REROUTE, REASON_NONE },
		{ PAGE - 1, RW, ANON, VERDICT_PASS, REASON_TOO_SMALL },
		{ PAGE, PROT_READ, ANON, VERDICT_PASS, REASON_NOT_WRITABLE },
		{ PAGE, PROT_WRITE, ANON, VERDICT_PASS, REASON_NOT_WRITABLE },
		{ PAGE, PROT_NONE, ANON, VERDICT_PASS, REASON_NOT_WRITABLE },
		{ PAGE, RW | PROT_GROWSDOWN, ANON, VERDICT_PASS, REASON_NOT_WRITABLE },
		{ PAGE, RW, ANON | MAP_NORESERVE, VERDICT_PASS, REASON_NORESERVE },
		{ PAGE, RW, ANON | MAP_STACK, VERDICT_PASS, REASON_STACK },
		{ PAGE, RW, ANON | MAP_GROWSDOWN, VERDICT_PASS, REASON_STACK },
		{ PAGE, RW, ANON | MAP_FIXED, VERDICT_PASS, REASON_FIXED },
		{ PAGE, RW, ANON | MAP_FIXED_NOREPLACE, VERDICT_PASS, REASON_FIXED },
		{ PAGE, RW, MAP_ANONYMOUS, VERDICT_PASS, REASON_FIXED },
		{ PAGE, RW, MAP_PRIVATE, VERDICT_PASS, REASON_NONE },
		{ PAGE, RW, ANON | MAP_HUGETLB, VERDICT_GUARD, REASON_NONE },
		{ 1, PROT_NONE, ANON | MAP_HUGETLB, VERDICT_GUARD, REASON_NONE },
		{ SIZE_MAX, RW, ANON, VERDICT_PASS, REASON_NONE },
	};
	struct conf conf;

	conf_defaults(&conf);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct request rq = { .bytes = rows[i].bytes, .prot = rows[i].prot,
					    .flags = rows[i].flags, .fd = -1 };
		enum reason why = REASON_N;

		EXPECT_EQ(eligible(&rq, &conf, PAGE, &why), rows[i].verdict);
		EXPECT_EQ(why, rows[i].why);
	}
}

TEST(eligible_asks_the_configuration)
{
	const struct request rq = { .bytes = 4 * MIB, .prot = RW, .flags = ANON, .fd = -1 };
	enum reason why;
	struct conf conf;

	conf_defaults(&conf);
	conf.mmap_min = 4 * MIB;
	EXPECT_EQ(eligible(&rq, &conf, PAGE, &why), VERDICT_REROUTE);
	conf.mmap_min = 4 * MIB + 1;
	EXPECT_EQ(eligible(&rq, &conf, PAGE, &why), VERDICT_PASS);
	EXPECT_EQ(why, REASON_TOO_SMALL);
	conf_defaults(&conf);
	conf.mmap.on = false;
	EXPECT_EQ(eligible(&rq, &conf, PAGE, &why), VERDICT_PASS);
	EXPECT_EQ(why, REASON_FILTERED);
	conf_defaults(&conf);
	EXPECT_EQ(eligible(&rq, &conf, 0, &why), VERDICT_PASS);
	EXPECT_EQ(why, REASON_POOL_SHORT);
}

TEST(eligible_flag_size_reads_the_size_of_a_request)
{
	EXPECT_EQ(eligible_flag_size(MAP_HUGETLB), 0);
	EXPECT_EQ(eligible_flag_size(MAP_HUGETLB | 21 << 26), 2 * MIB);
	EXPECT_EQ(eligible_flag_size(MAP_HUGETLB | 30 << 26), GIB);
	EXPECT_EQ(eligible_flag_size((int)(34u << 26)), 16 * GIB);
}

static struct cgroup_hugetlb unlimited(void)
{
	return (struct cgroup_hugetlb){
		.complete = true,
		.fault = { .limit = CGROUP_UNLIMITED, .room = CGROUP_UNLIMITED },
		.rsvd = { .limit = CGROUP_UNLIMITED, .room = CGROUP_UNLIMITED },
	};
}

TEST(budget_is_the_least_of_all_that_binds)
{
	struct cgroup_hugetlb groups = unlimited();
	struct pool pool = { .total = 20, .free = 12, .reserved = 2 };
	struct mount_room room = { .page_bytes = PAGE, .quota_pages = 9, .free_pages = 8 };
	struct budget_facts f = { .page_bytes = PAGE, .limit = UINT64_MAX };

	EXPECT_EQ(budget_of(&f).pages, UINT64_MAX);
	f.pool = &pool;
	EXPECT_EQ(budget_of(&f).pages, 10);
	EXPECT_EQ(budget_of(&f).binds, REASON_POOL_SHORT);
	f.keep_free = 3;
	EXPECT_EQ(budget_of(&f).pages, 7);
	f.keep_free = 30;
	EXPECT_EQ(budget_of(&f).pages, 0);
	EXPECT_EQ(budget_of(&f).binds, REASON_BUDGET);
	f.keep_free = 0;
	f.mount = &room;
	EXPECT_EQ(budget_of(&f).pages, 8);
	EXPECT_EQ(budget_of(&f).binds, REASON_MOUNT_QUOTA);
	groups.rsvd.room = groups.rsvd.limit = 7 * PAGE + 4096;
	f.groups = &groups;
	EXPECT_EQ(budget_of(&f).pages, 7);
	EXPECT_EQ(budget_of(&f).binds, REASON_CGROUP_RSVD);
	groups.fault.room = groups.fault.limit = 6 * PAGE;
	EXPECT_EQ(budget_of(&f).pages, 6);
	EXPECT_EQ(budget_of(&f).binds, REASON_CGROUP_FAULT);
	f.limit = 8 * PAGE;
	f.taken = 3 * PAGE;
	EXPECT_EQ(budget_of(&f).pages, 5);
	EXPECT_EQ(budget_of(&f).binds, REASON_BUDGET);
	f.taken = 9 * PAGE;
	EXPECT_EQ(budget_of(&f).pages, 0);
	f.charged_to_memory = true;
	EXPECT_EQ(budget_of(&f).pages, 0);
	EXPECT_EQ(budget_of(&f).binds, REASON_MEMCG);
}

TEST(budget_reservation_proves_only_where_nothing_can_come_between)
{
	struct cgroup_hugetlb groups = unlimited();

	EXPECT_TRUE(budget_reservation_proves(&groups, false, false));
	EXPECT_FALSE(budget_reservation_proves(NULL, false, false));
	EXPECT_FALSE(budget_reservation_proves(&groups, true, false));
	EXPECT_FALSE(budget_reservation_proves(&groups, false, true));
	groups.complete = false;
	EXPECT_FALSE(budget_reservation_proves(&groups, false, false));
	groups.complete = true;
	groups.controlled = true;	/* no limit yet */
	EXPECT_FALSE(budget_reservation_proves(&groups, false, false));
}

TEST(reason_names_are_all_there_and_all_different)
{
	for (int a = 0; a < REASON_N; a++) {
		REQUIRE_TRUE(reason_name((enum reason)a) != NULL);
		for (int b = 0; b < a; b++)
			EXPECT_NE(strcmp(reason_name((enum reason)a), reason_name((enum reason)b)), 0);
	}
	EXPECT_STR_EQ(reason_name(REASON_NONE), "huge");
	EXPECT_STR_EQ(reason_name(REASON_N), "unknown");
}
