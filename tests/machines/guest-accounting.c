/* SPDX-License-Identifier: MIT */
// timeout: 200
/*
 * Where huge pages are charged to the memory controller (guest-init: guest_accounting=1) a
 * touch beyond memory.max loops for ever, or damages the kernel's books: below a
 * memory limit none is taken, and without one all is as ever.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define BYTES (8 * PAGE)
#define RW (PROT_READ | PROT_WRITE)

PROGRAM(is_small)
{
	char *at = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, BYTES), 0);
	fill_pages(at, BYTES, 1);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
	EXPECT_EQ(mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0), MAP_FAILED);
}

PROGRAM(is_huge)
{
	char *at = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, BYTES), BYTES);
	fill_pages(at, BYTES, 1);
	EXPECT_TRUE(holds_pages(at, BYTES, 1));
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		SKIP("the memory controller");
	close(fd);
}

static void limit_memory(const char *text)
{
	char group[300], path[400];
	char *slash;

	snprintf(group, sizeof(group), "%s", cgroup_make("pod"));
	slash = strrchr(group, '/');
	snprintf(path, sizeof(path), "%.*s/../cgroup.subtree_control", (int)(slash - group), group);
	put(path, "+memory");
	snprintf(path, sizeof(path), "%.*s/cgroup.subtree_control", (int)(slash - group), group);
	put(path, "+memory");
	snprintf(path, sizeof(path), "%s/memory.max", group);
	put(path, text);
}

TEST(memory_below_a_limit_that_counts_huge_pages_is_small)
{
	struct spawned r;

	pool_set(PAGE, 20);
	limit_memory("512M");
	r = run_with_us_in("pod", "is_small", "HUGETLB_VERBOSE=3");
	EXPECT_CONTAINS(r.err, "memcg");
}

TEST(memory_without_a_limit_is_huge_though_it_is_counted)
{
	pool_set(PAGE, 20);
	limit_memory("max");
	run_with_us_in("pod", "is_huge");
}
