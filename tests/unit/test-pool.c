/* SPDX-License-Identifier: MIT */
/* Pool counters: read from wherever they are, and judged before they are used. */
#include "core/facts/pool.h"
#include "tests/unit/roots.h"

#define UNDERFLOW UINT64_C(18446744073709551612)

static void add_counter(const char *root, const char *pool, const char *name, const char *text)
{
	char path[300];

	snprintf(path, sizeof(path), "sys/%s/%s_hugepages", pool, name);
	tree_write(root, path, text);
}

#define POOL_2M "kernel/mm/hugepages/hugepages-2048kB"
#define NODE_1 "devices/system/node/node1/hugepages/hugepages-2048kB"

static void add_pool(const char *root, const char *total, const char *free, const char *reserved,
		     const char *surplus, const char *overcommit)
{
	add_counter(root, POOL_2M, "nr", total);
	add_counter(root, POOL_2M, "free", free);
	add_counter(root, POOL_2M, "resv", reserved);
	add_counter(root, POOL_2M, "surplus", surplus);
	add_counter(root, POOL_2M, "nr_overcommit", overcommit);
}

TEST(pool_read_takes_every_counter)
{
	const char *root = root_make();
	struct pool p;

	add_pool(root, "16\n", "9\n", "4\n", "2\n", "10\n");
	tree_write(root, "proc/meminfo", "MemTotal: 1600 kB\nMemAvailable: 1000 kB\n");
	REQUIRE_EQ(pool_read(root, 2 * MIB, &p), 0);
	EXPECT_EQ(p.total, 16);
	EXPECT_EQ(p.free, 9);
	EXPECT_EQ(p.reserved, 4);
	EXPECT_EQ(p.surplus, 2);
	EXPECT_EQ(p.overcommit, 10);
	EXPECT_EQ(p.mem_available, 1000 * KIB);
	EXPECT_EQ(p.mem_total, 1600 * KIB);
	EXPECT_FALSE(p.impossible);
}

TEST(pool_read_damaged_counter_is_ebadmsg_and_never_zero)
{
	static const struct {
		const char *text;
		int err;
	} table[] = {
		{ "", -EBADMSG },   { "\n", -EBADMSG },	   { "x\n", -EBADMSG },
		{ "-1\n", -EBADMSG }, { "1 2\n", -EBADMSG }, { "18446744073709551616\n", -ERANGE },
	};
	static const char *const names[] = { "nr", "free", "resv", "surplus", "nr_overcommit" };
	const char *root = root_make();
	struct pool p = { .total = 77 };

	for (size_t n = 0; n < COUNT_OF(names); n++) {
		add_pool(root, "16\n", "9\n", "4\n", "0\n", "0\n");
		for (size_t i = 0; i < COUNT_OF(table); i++) {
			add_counter(root, POOL_2M, names[n], table[i].text);
			EXPECT_EQ(pool_read(root, 2 * MIB, &p), table[i].err);
		}
	}
	EXPECT_EQ(p.total, 77);
}

TEST(pool_read_of_no_size_is_einval)
{
	struct pool p;

	EXPECT_EQ(pool_read("", 0, &p), -EINVAL);
	EXPECT_EQ(pool_read("", 3 * MIB, &p), -EINVAL);
	EXPECT_EQ(pool_read_node("", 0, 5, &p), -EINVAL);
}

TEST(pool_read_without_the_pool_is_enoent)
{
	const char *root = root_make();
	struct pool p;

	EXPECT_EQ(pool_read(root, 2 * MIB, &p), -ENOENT);
	add_pool(root, "16\n", "9\n", "4\n", "0\n", "0\n");
	EXPECT_EQ(pool_read(root, GIB, &p), -ENOENT);
	tree_write(root, "proc/meminfo", "HugePages_Total: 5\nHugepagesize: 2048 kB\n");
	EXPECT_EQ(pool_read(root, GIB, &p), -ENOENT);
}

static const char meminfo[] = "MemTotal:       3200 kB\nMemAvailable:   2000 kB\n"
			      "HugePages_Total:      16\nHugePages_Free:        9\n"
			      "HugePages_Rsvd:        4\nHugePages_Surp:        2\n"
			      "Hugepagesize:       2048 kB\n";

TEST(pool_read_hidden_sys_takes_meminfo_for_the_default_size)
{
	const char *root = root_make();
	struct pool p;

	tree_write(root, "proc/meminfo", meminfo);
	REQUIRE_EQ(pool_read(root, 2 * MIB, &p), 0);
	EXPECT_EQ(p.total, 16);
	EXPECT_EQ(p.free, 9);
	EXPECT_EQ(p.reserved, 4);
	EXPECT_EQ(p.surplus, 2);
	EXPECT_EQ(p.overcommit, 0);
	EXPECT_EQ(p.mem_available, 0);
	tree_write(root, "proc/sys/vm/nr_overcommit_hugepages", "8\n");
	REQUIRE_EQ(pool_read(root, 2 * MIB, &p), 0);
	EXPECT_EQ(p.overcommit, 8);
	EXPECT_EQ(p.mem_available, 2000 * KIB);
	EXPECT_EQ(pool_read(root, GIB, &p), -ENOENT);
}

TEST(pool_read_meminfo_cut_short_is_not_believed)
{
	const char *root = root_make();

	/* Cut inside "HugePages_Surp: 2", and inside each line before it. */
	for (size_t bytes = 0; bytes < sizeof(meminfo) - 1; bytes++) {
		struct pool p = { .total = 77 };

		tree_write_bytes(root, "proc/meminfo", meminfo, bytes);
		EXPECT_EQ(pool_read(root, 2 * MIB, &p), -ENOENT);
		EXPECT_EQ(p.total, 77);
	}
}

TEST(pool_read_underflowed_counters_are_impossible)
{
	static const struct {
		const char *total, *free, *reserved, *surplus;
		bool impossible;
		uint64_t available;
	} table[] = {
		{ "16", "9", "4", "0", false, 5 },
		{ "16", "16", "16", "0", false, 0 },
		{ "16", "3", "5", "0", false, 0 },	/* moved while read */
		{ "0", "0", "0", "0", false, 0 },
		{ "16", "9", "18446744073709551612", "0", true, 9 },
		{ "16", "9", "17", "0", true, 9 },
		{ "16", "17", "0", "0", true, 0 },
		{ "16", "18446744073709551615", "0", "0", true, 0 },
		{ "281474976710657", "9", "0", "0", true, 0 },
		{ "16", "9", "0", "17", true, 9 },
	};
	const char *root = root_make();

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct pool p;

		add_pool(root, table[i].total, table[i].free, table[i].reserved, table[i].surplus,
			 "0");
		REQUIRE_EQ(pool_read(root, 2 * MIB, &p), 0);
		EXPECT_EQ(p.impossible, table[i].impossible);
		EXPECT_EQ(pool_available(&p, 2 * MIB), table[i].available);
	}
}

TEST(pool_available_keeps_a_sixteenth_of_memory)
{
	static const struct {
		struct pool p;
		uint64_t available;
	} table[] = {
		{ { .total = 4, .free = 4, .overcommit = 10, .mem_available = 100 * MIB,
		    .mem_total = 160 * MIB }, 14 },
		{ { .overcommit = 100, .mem_available = 100 * MIB, .mem_total = 160 * MIB }, 45 },
		{ { .overcommit = 100, .surplus = 100, .total = 100, .mem_available = 100 * MIB,
		    .mem_total = 160 * MIB }, 0 },
		{ { .overcommit = 10, .surplus = 12, .total = 12, .mem_available = 100 * MIB,
		    .mem_total = 160 * MIB }, 0 },
		{ { .overcommit = 100, .mem_available = 10 * MIB, .mem_total = 160 * MIB }, 0 },
		{ { .overcommit = 100, .mem_available = 5 * MIB, .mem_total = 160 * MIB }, 0 },
		{ { .overcommit = 100 }, 0 },
		{ { .overcommit = UINT64_MAX, .mem_available = 100 * MIB,
		    .mem_total = 160 * MIB }, 45 },
		{ { .total = 4, .free = 4, .reserved = UNDERFLOW, .overcommit = 100,
		    .mem_available = 100 * MIB, .mem_total = 160 * MIB, .impossible = true }, 4 },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++)
		EXPECT_EQ(pool_available(&table[i].p, 2 * MIB), table[i].available);
}

TEST(pool_read_node_has_no_reservations)
{
	const char *root = root_make();
	struct pool p;

	add_counter(root, NODE_1, "nr", "5\n");
	add_counter(root, NODE_1, "free", "3\n");
	add_counter(root, NODE_1, "surplus", "1\n");
	REQUIRE_EQ(pool_read_node(root, 1, 2 * MIB, &p), 0);
	EXPECT_EQ(p.total, 5);
	EXPECT_EQ(p.free, 3);
	EXPECT_EQ(p.surplus, 1);
	EXPECT_EQ(p.reserved, 0);
	EXPECT_EQ(pool_read_node(root, 0, 2 * MIB, &p), -ENOENT);
	add_counter(root, NODE_1, "free", "6\n");
	REQUIRE_EQ(pool_read_node(root, 1, 2 * MIB, &p), 0);
	EXPECT_TRUE(p.impossible);
}

TEST(pool_read_is_true_or_an_error_whichever_call_fails)
{
	static const int errors[] = { ENOMEM, EIO, EACCES };
	const char *root = root_make();
	struct pool p;
	int err;

	add_pool(root, "16\n", "9\n", "4\n", "2\n", "10\n");
	tree_write(root, "proc/meminfo", meminfo);
	tree_write(root, "proc/sys/vm/nr_overcommit_hugepages", "10\n");
	for (size_t e = 0; e < COUNT_OF(errors); e++)
		FAILS_EACH_CALL(errors[e], err = pool_read(root, 2 * MIB, &p),
				{
					if (err == 0) {
						EXPECT_EQ(p.total, 16);
						EXPECT_EQ(p.free, 9);
						EXPECT_EQ(p.reserved, 4);
					} else {
						EXPECT_TRUE(err == -ENOMEM || err == -errors[e]);
					}
				},
				EXPECT_EQ(err, 0));
}
