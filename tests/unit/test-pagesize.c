/* SPDX-License-Identifier: MIT */
/* The sizes a kernel shows, wherever it shows them. */
#include "core/facts/pagesize.h"
#include "tests/unit/roots.h"

static void add_pool(const char *root, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "sys/kernel/mm/hugepages/%s", name);
	tree_mkdir(root, path);
}

static void add_meminfo(const char *root, const char *text)
{
	tree_write(root, "proc/meminfo", text);
}

TEST(pagesize_reads_names_in_ascending_order)
{
	const char *root = root_make();
	struct pagesizes s;

	add_pool(root, "hugepages-1048576kB");
	add_pool(root, "hugepages-64kB");
	add_pool(root, "hugepages-2048kB");
	add_meminfo(root, "MemTotal: 1 kB\nHugepagesize:       2048 kB\n");
	REQUIRE_EQ(pagesize_read(root, &s), 0);
	REQUIRE_EQ(s.n, 3);
	EXPECT_EQ(s.bytes[0], 64 * KIB);
	EXPECT_EQ(s.bytes[1], 2 * MIB);
	EXPECT_EQ(s.bytes[2], GIB);
	EXPECT_EQ(s.default_bytes, 2 * MIB);
}

TEST(pagesize_passes_over_names_that_are_no_pool)
{
	static const char *const odd[] = {
		"hugepages-kB",	    "hugepages-3kB",  "hugepages-2048MB", "hugepages-0kB",
		"hugepages--2kB",   "hugepages-",     "other",		  "hugepages-2048",
		"hugepages-99999999999999999999kB",  "hugepages-18014398509481984kB",
	};
	const char *root = root_make();
	struct pagesizes s;

	for (size_t i = 0; i < COUNT_OF(odd); i++)
		add_pool(root, odd[i]);
	EXPECT_EQ(pagesize_read(root, &s), -ENOENT);
	add_pool(root, "hugepages-2048kB");
	REQUIRE_EQ(pagesize_read(root, &s), 0);
	EXPECT_EQ(s.n, 1);
	EXPECT_EQ(s.bytes[0], 2 * MIB);
}

TEST(pagesize_more_pools_than_room_keeps_the_smallest)
{
	const char *root = root_make();
	struct pagesizes s;

	for (int i = 20; i >= 6; i--) {
		char name[64];

		snprintf(name, sizeof(name), "hugepages-%dkB", 1 << i);
		add_pool(root, name);
	}
	REQUIRE_EQ(pagesize_read(root, &s), 0);
	REQUIRE_EQ(s.n, PAGESIZE_MAX);
	for (size_t i = 0; i < s.n; i++)
		EXPECT_EQ(s.bytes[i], (64 * KIB) << i);
}

TEST(pagesize_hidden_sys_leaves_the_default)
{
	const char *root = root_make();
	struct pagesizes s;

	add_meminfo(root, "Hugepagesize:      32768 kB\n");
	REQUIRE_EQ(pagesize_read(root, &s), 0);
	EXPECT_EQ(s.n, 1);
	EXPECT_EQ(s.default_bytes, 32 * MIB);
}

TEST(pagesize_hidden_proc_leaves_the_usual_default)
{
	const char *root = root_make();
	struct pagesizes s;

	add_pool(root, "hugepages-64kB");
	REQUIRE_EQ(pagesize_read(root, &s), 0);
	EXPECT_EQ(s.default_bytes, 64 * KIB);
	add_pool(root, "hugepages-2048kB");
	add_pool(root, "hugepages-1048576kB");
	REQUIRE_EQ(pagesize_read(root, &s), 0);
	if (sysconf(_SC_PAGESIZE) == 4096)
		EXPECT_EQ(s.default_bytes, 2 * MIB);
}

TEST(pagesize_nothing_readable_is_enoent_and_writes_nothing)
{
	static const char *const odd[] = { "", "\n", "Hugepagesize:", "Hugepagesize: x kB\n",
					   "Hugepagesize: 0 kB\n", "Hugepagesize: 3 kB\n",
					   "Hugepagesize: 2048 MB\n", "Hugepagesize:       2048 kB" };
	const char *root = root_make();
	struct pagesizes s = { .n = 77 };

	EXPECT_EQ(pagesize_read(root, &s), -ENOENT);
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		add_meminfo(root, odd[i]);
		EXPECT_EQ(pagesize_read(root, &s), -ENOENT);
	}
	EXPECT_EQ(s.n, 77);
}

TEST(pagesize_is_true_or_an_error_whichever_call_fails)
{
	const char *root = root_make();
	struct pagesizes s;
	static const int errors[] = { ENOMEM, EIO, EMFILE };
	int err;

	add_pool(root, "hugepages-2048kB");
	add_pool(root, "hugepages-1048576kB");
	add_meminfo(root, "Hugepagesize:       2048 kB\n");
	for (size_t e = 0; e < COUNT_OF(errors); e++)
		FAILS_EACH_CALL(errors[e], err = pagesize_read(root, &s),
				{
					if (errors[e] == ENOMEM)
						EXPECT_EQ(err, -ENOMEM);
					else if (err == 0)
						EXPECT_EQ(s.default_bytes, 2 * MIB);
					else
						EXPECT_TRUE(err == -ENOMEM || err == -ENOENT);
				},
				EXPECT_EQ(s.n, 2));
}

TEST(pagesize_of_this_machine_is_what_its_files_say)
{
	struct pagesizes s;

	if (access("/sys/kernel/mm/hugepages", R_OK) != 0)
		SKIP("/sys/kernel/mm/hugepages");
	REQUIRE_EQ(pagesize_read("", &s), 0);
	EXPECT_GE(s.n, 1);
	EXPECT_NE(s.default_bytes, 0);
}
