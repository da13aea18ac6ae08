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
