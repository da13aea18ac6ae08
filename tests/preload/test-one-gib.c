/* SPDX-License-Identifier: MIT */
/* Pages of 1 GiB: a part of one is never taken for less than the page it lies in. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define RW (PROT_READ | PROT_WRITE)
#define HUGE_1G (30 << 26)

static int mappings_named(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	int n = 0;

	REQUIRE_TRUE(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, name) != NULL;
	fclose(maps);
	return n;
}

/* A little of a file: found out by its alignment, and mapped again to be proven. */
PROGRAM(maps_a_little_of_a_file)
{
	int fd = memfd_create("big", MFD_HUGETLB | HUGE_1G);
	char *at;

	REQUIRE_TRUE(fd >= 0);
	REQUIRE_EQ(ftruncate(fd, GIB), 0);
	at = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
	REQUIRE_TRUE(at != MAP_FAILED);
	EXPECT_EQ(munmap(at, GIB), 0);
	EXPECT_EQ(mappings_named("/memfd:big"), 0);
	close(fd);
}

TEST(little_of_a_file_of_1_gib_pages_leaves_no_mapping_behind)
{
	pool_set(GIB, 1);
	run_with_us("maps_a_little_of_a_file");
}

/* A segment of ours, as long as its page: parts of it go as of small pages. */
PROGRAM(unmaps_a_part_of_a_segment)
{
	int id = shmget(IPC_PRIVATE, GIB, 0600);
	char *at;

	REQUIRE_TRUE(id >= 0);
	at = shmat(id, NULL, 0);
	REQUIRE_TRUE(at != (char *)-1);
	shmctl(id, IPC_RMID, NULL);
	EXPECT_EQ(pages_in(at, GIB, GIB), GIB);
	EXPECT_EQ(munmap(at + 2 * MIB, 2 * MIB), 0);
	at[0] = at[GIB - 1] = 1;
	EXPECT_EQ(shmdt(at), 0);
	EXPECT_EQ(mapped_in(at, GIB), 0);
}

TEST(part_of_a_segment_of_1_gib_pages_can_be_unmapped)
{
	pool_set(GIB, 1);
	run_with_us("unmaps_a_part_of_a_segment", "HUGETLB_SHM=1G");
}

/* A line with an unused GiB before it and two behind. */
static char *make_room(void)
{
	char *room = mmap(NULL, 4 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	munmap(room, 4 * GIB);
	return (char *)(((uintptr_t)room + 2 * GIB - 1) & ~(GIB - 1));
}

/* A hint off the line: pages of the usual size lead up to it, and go on behind. */
PROGRAM(maps_off_the_line)
{
	char *line = make_room(), *at;

	at = mmap(line - 6 * MIB, GIB + 10 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE_EQ(at, line - 6 * MIB);
	EXPECT_EQ(pages_in(at, 6 * MIB, 2 * MIB), 6 * MIB);
	EXPECT_EQ(pages_in(line, GIB, GIB), GIB);
	EXPECT_EQ(pages_in(line + GIB, 4 * MIB, 2 * MIB), 4 * MIB);
	at[0] = at[GIB + 10 * MIB - 1] = line[5] = 1;
	/* Each part is known for what it is. */
	EXPECT_EQ(munmap(at + 4096, 4096), 0);
	EXPECT_EQ(munmap(line + GIB + 8192, 4096), 0);
	EXPECT_EQ(mapped_in(at, GIB + 10 * MIB), GIB + 10 * MIB - 8192);
	EXPECT_EQ(munmap(at, GIB + 10 * MIB), 0);
	EXPECT_EQ(mapped_in(at, GIB + 10 * MIB), 0);
}

TEST(mmap_of_1_gib_pages_off_their_line_has_the_usual_ones_before_and_behind)
{
	pool_set(GIB, 1);
	pool_set(2 * MIB, 5);
	run_with_us("maps_off_the_line", "HUGETLB_MMAP=1G", "HUGETLB_MORECORE=no");
}

/* Two pages fit its size and only one its place: the rest is made of the usual ones. */
PROGRAM(maps_two_off_the_line)
{
	char *line = make_room(), *at;

	at = mmap(line - 6 * MIB, 2 * GIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE_EQ(at, line - 6 * MIB);
	EXPECT_EQ(pages_in(at, 6 * MIB, 2 * MIB), 6 * MIB);
	EXPECT_EQ(pages_in(line, GIB, GIB), GIB);
	EXPECT_EQ(pages_in(line + GIB, GIB - 6 * MIB, 2 * MIB), 4 * MIB);
	at[0] = at[2 * GIB - 1] = 1;
	EXPECT_EQ(munmap(at, 2 * GIB), 0);
}

TEST(mmap_of_two_1_gib_pages_of_which_one_fits_has_the_usual_ones_besides)
{
	pool_set(GIB, 2);
	pool_set(2 * MIB, 5);
	run_with_us("maps_two_off_the_line", "HUGETLB_MMAP=1G", "HUGETLB_MORECORE=no");
}
