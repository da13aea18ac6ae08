/* SPDX-License-Identifier: MIT */
/*
 * HUGETLB_PATH: memory drawn from a hugetlbfs mount, within its quota and its minimum,
 * from files that nobody can see and nothing leaves behind.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"
#include "tests/harness/tree.h"
#include "tests/harness/undo.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

static unsigned files_in(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* Pages of the quota in use or promised; 0 without a quota. */
static unsigned long used_of(const char *path)
{
	struct statfs fs;

	REQUIRE_EQ(statfs(path, &fs), 0);
	return fs.f_blocks - fs.f_bfree;
}

static bool maps_name(const void *at, const char *part)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4096];
	bool found = false;
	unsigned long lo;

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx", &lo) == 1 && lo == (uintptr_t)at)
			found = strstr(line, part) != NULL;
	fclose(f);
	return found;
}

PROGRAM(draws_from_a_mount)
{
	size_t bytes = given("BYTES"), huge = given("HUGE");
	int type = getenv("SHARED") ? MAP_SHARED : MAP_PRIVATE;
	const char *path = getenv("MOUNT");
	char *at = mmap(NULL, bytes, RW, type | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, bytes), huge);
	EXPECT_EQ(mapped_in(at, bytes), bytes);
	fill_pages(at, bytes, 1);
	EXPECT_TRUE(holds_pages(at, bytes, 1));
	EXPECT_EQ(files_in(path), 0);
	if (huge) {
		EXPECT_TRUE(maps_name(at, "(deleted)"));
		EXPECT_FALSE(maps_name(at, "/anon_hugepage"));
	}
	if (given("QUOTA"))
		EXPECT_EQ(used_of(path), huge / PAGE);
	/* What others may want first; then all of it. */
	EXPECT_EQ(munmap(at + bytes / 2, bytes / 2), 0);
	EXPECT_EQ(munmap(at, bytes / 2), 0);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	if (given("QUOTA"))
		EXPECT_EQ(used_of(path), 0);
}

static char path_env[512], mount_env[512];

static void use_mount(const char *path)
{
	snprintf(path_env, sizeof(path_env), "HUGETLB_PATH=%s", path);
	snprintf(mount_env, sizeof(mount_env), "MOUNT=%s", path);
}

#define DRAW(...) run_with_us("draws_from_a_mount", path_env, mount_env, __VA_ARGS__)

TEST(path_gives_memory_from_the_mount)
{
	pool_set(PAGE, 8);
	use_mount(mount_hugetlbfs(PAGE, NULL));
	DRAW("BYTES=8388608", "HUGE=8388608");
	DRAW("BYTES=8388608", "HUGE=8388608", "SHARED=1");
	DRAW("BYTES=33554432", "HUGE=16777216");
	DRAW("BYTES=33554432", "HUGE=16777216", "SHARED=1");
}

TEST(path_with_a_quota_gives_as_much_as_fits)
{
	pool_set(PAGE, 8);
	use_mount(mount_hugetlbfs(PAGE, "size=6M"));
	DRAW("BYTES=4194304", "HUGE=4194304", "QUOTA=1");
	DRAW("BYTES=12582912", "HUGE=6291456", "QUOTA=1");
	DRAW("BYTES=12582912", "HUGE=6291456", "QUOTA=1", "SHARED=1");
}

TEST(path_with_a_quota_of_0_gives_nothing)
{
	pool_set(PAGE, 8);
	use_mount(mount_hugetlbfs(PAGE, "size=0"));
	DRAW("BYTES=4194304", "HUGE=0");
	DRAW("BYTES=4194304", "HUGE=0", "SHARED=1");
}

PROGRAM(draws_from_the_pool)
{
	size_t huge = given("HUGE");
	char *at = mmap(NULL, 16 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(huge_in(at, 16 * MIB), huge);
	EXPECT_EQ(munmap(at, 16 * MIB), 0);
	at = mmap(NULL, 16 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(huge_in(at, 16 * MIB), huge);
	fill_pages(at, 16 * MIB, 1);
	EXPECT_EQ(munmap(at, 16 * MIB), 0);
	EXPECT_EQ(mmap(NULL, huge + PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0),
		  MAP_FAILED);
}

TEST(minimum_of_a_mount_is_left_to_those_who_draw_from_it)
{
	pool_set(PAGE, 8);
	mount_hugetlbfs(PAGE, "min_size=10M");
	EXPECT_EQ(pool_resv(PAGE), 5);
	run_with_us("draws_from_the_pool", "HUGE=6291456");
	EXPECT_EQ(pool_resv(PAGE), 5);
	EXPECT_EQ(pool_free(PAGE), 8);
}

TEST(path_with_a_space_works)
{
	const char *root;
	char path[256];

	pool_set(PAGE, 4);
	root = tree_make();
	tree_mkdir(root, "huge pages \\040 here");
	snprintf(path, sizeof(path), "%s/huge pages \\040 here", root);
	undo_umount(path);
	if (mount("hresv-test", path, "hugetlbfs", 0, "pagesize=2M") != 0)
		SKIP("the right to mount hugetlbfs");
	use_mount(path);
	DRAW("BYTES=8388608", "HUGE=8388608");
}

TEST(path_is_one_of_several_the_first_that_is_hugetlbfs)
{
	const char *path;

	pool_set(PAGE, 4);
	path = mount_hugetlbfs(PAGE, "size=4M");
	snprintf(path_env, sizeof(path_env), "HUGETLB_PATH=/nowhere:/tmp:%s", path);
	snprintf(mount_env, sizeof(mount_env), "MOUNT=%s", path);
	DRAW("BYTES=8388608", "HUGE=4194304", "QUOTA=1");
}

PROGRAM(maps_eight)
{
	char *at = mmap(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, 8 * MIB, 1);
	printf("%zu\n", huge_in(at, 8 * MIB));
}

TEST(path_that_is_no_mount_or_is_closed_to_us_costs_nothing)
{
	const char *path;

	pool_set(PAGE, 4);
	EXPECT_STR_EQ(run_with_us("maps_eight", "HUGETLB_PATH=/nowhere").out, "8388608\n");
	path = mount_hugetlbfs(PAGE, "mode=0700");
	chmod(path, 0700);
	use_mount(path);
	run_with_us_as("nobody", "maps_eight", path_env);
}
