/* SPDX-License-Identifier: MIT */
/*
 * What we know of the kernel's promises and refusals, each as a test: if one fails on
 * a kernel, what we built on it is to be looked at. Measured on Linux 6.1 to 7.2.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/linux.h"
#include "tests/harness/memory.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"
#include "tests/harness/spawn.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define HUGE_PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB)
#define HUGE_SHARED (MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB)

static char *map(size_t pages, int flags)
{
	char *at = mmap(NULL, pages * PAGE, RW, flags, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

/* Present pages, from the start. */
static size_t present(char *at, size_t pages)
{
	size_t n = 0;

	for (; n < pages; n++) {
		unsigned char vec = 0;

		if (mincore(at + n * PAGE, 4096, &vec) != 0 || !(vec & 1))
			break;
	}
	return n;
}

static void join_pod(size_t limit)
{
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, limit);
	cgroup_join("pod", 0);
}

TEST_SIGNAL(fault_limit_grants_the_mapping_and_kills_at_the_touch, SIGBUS)
{
	pool_set(PAGE, 4);
	join_pod(PAGE);
	char *at = map(2, HUGE_PRIVATE);

	at[0] = 1;
	at[PAGE] = 1;
}

TEST(populate_beyond_a_fault_limit_is_efault_and_keeps_the_prefix)
{
	char *at;

	need_linux(5, 14);
	pool_set(PAGE, 8);
	join_pod(3 * PAGE);
	at = map(6, HUGE_PRIVATE | MAP_NORESERVE);
	EXPECT_EQ(madvise(at, 6 * PAGE, MADV_POPULATE_WRITE), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(present(at, 6), 3);
	munmap(at, 6 * PAGE);
}

TEST(populate_beyond_the_pool_is_efault_and_keeps_the_prefix)
{
	char *at;

	need_linux(5, 14);
	pool_set(PAGE, 3);
	at = map(6, HUGE_PRIVATE | MAP_NORESERVE);
	EXPECT_EQ(pool_resv(PAGE), 0);		/* NORESERVE takes no reservation */
	EXPECT_EQ(madvise(at, 6 * PAGE, MADV_POPULATE_WRITE), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(present(at, 6), 3);
	EXPECT_EQ(pool_free(PAGE), 0);
	munmap(at, 6 * PAGE);
	EXPECT_EQ(pool_free(PAGE), 3);
}

TEST(map_populate_and_map_locked_hide_a_shortage)
{
	char *at;

	pool_set(PAGE, 2);
	at = map(4, HUGE_PRIVATE | MAP_NORESERVE | MAP_POPULATE);
	EXPECT_EQ(present(at, 4), 2);
	munmap(at, 4 * PAGE);
	at = map(4, HUGE_PRIVATE | MAP_NORESERVE | MAP_LOCKED);
	EXPECT_EQ(present(at, 4), 2);
	munmap(at, 4 * PAGE);
}

TEST(populate_write_wants_write_permission)
{
	char *at;

	pool_set(PAGE, 1);
	at = mmap(NULL, PAGE, PROT_READ, HUGE_PRIVATE | MAP_NORESERVE, -1, 0);
	EXPECT_EQ(madvise(at, PAGE, MADV_POPULATE_WRITE), -1);
	EXPECT_EQ(errno, EINVAL);
}

TEST(reservation_limit_refuses_at_mmap)
{
	pool_set(PAGE, 4);
	cgroup_make("pod");
	cgroup_limit_rsvd("pod", PAGE, PAGE);
	cgroup_join("pod", 0);
	EXPECT_EQ(mmap(NULL, 2 * PAGE, RW, HUGE_PRIVATE, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(mmap(NULL, 2 * PAGE, RW, HUGE_SHARED, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
}

TEST(shared_reservation_outlives_munmap_and_ends_with_the_file)
{
	int fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	char *at;

	pool_set(PAGE, 4);
	REQUIRE_GE(fd, 0);
	REQUIRE_EQ(ftruncate(fd, 3 * PAGE), 0);
	at = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	EXPECT_EQ(pool_resv(PAGE), 3);
	munmap(at, 3 * PAGE);
	EXPECT_EQ(pool_resv(PAGE), 3);
	close(fd);
	EXPECT_EQ(pool_resv(PAGE), 0);
}

TEST(shrinking_the_pool_never_breaks_a_reservation)
{
	char *at;
	FILE *f;

	pool_set(PAGE, 4);
	at = map(4, HUGE_SHARED);
	f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "we");
	fprintf(f, "0\n");
	fclose(f);
	fill_pages(at, 4 * PAGE, 1);
	EXPECT_TRUE(holds_pages(at, 4 * PAGE, 1));
	munmap(at, 4 * PAGE);
	EXPECT_EQ(pool_total(PAGE), 0);
}

TEST(quota_of_a_mount_shows_in_statfs_and_refuses_at_mmap)
{
	const char *path;
	struct statfs fs;
	char name[256];
	char *at;
	int fd;

	pool_set(PAGE, 8);
	path = mount_hugetlbfs(PAGE, "size=6M");
	REQUIRE_EQ(statfs(path, &fs), 0);
	EXPECT_EQ(fs.f_bsize, PAGE);
	EXPECT_EQ(fs.f_blocks, 3);
	EXPECT_EQ(fs.f_bfree, 3);
	snprintf(name, sizeof(name), "%s", path);
	fd = open(name, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	REQUIRE_GE(fd, 0);
	EXPECT_EQ(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	at = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(statfs(path, &fs), 0);
	EXPECT_EQ(fs.f_bfree, 1);		/* reserved counts as used */
	munmap(at, 2 * PAGE);
	close(fd);
}

TEST(minimum_of_a_mount_is_reserved_when_it_is_mounted)
{
	pool_set(PAGE, 4);
	mount_hugetlbfs(PAGE, "min_size=6M");
	EXPECT_EQ(pool_resv(PAGE), 3);
	EXPECT_EQ(mmap(NULL, 2 * PAGE, RW, HUGE_PRIVATE, -1, 0), MAP_FAILED);
	EXPECT_NE(mmap(NULL, PAGE, RW, HUGE_PRIVATE, -1, 0), MAP_FAILED);
}

TEST(surplus_pages_are_allocated_at_mmap)
{
	char *at;

	pool_set(PAGE, 0);
	pool_set_overcommit(PAGE, 2);
	at = map(2, HUGE_PRIVATE);
	EXPECT_EQ(pool_surplus(PAGE), 2);
	EXPECT_EQ(pool_free(PAGE), 2);
	munmap(at, 2 * PAGE);
	EXPECT_EQ(pool_surplus(PAGE), 0);
}

TEST(huge_segment_needs_a_right_and_huge_mmap_does_not)
{
	pool_set(PAGE, 2);
	as_user("nobody");
	EXPECT_EQ(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | SHM_HUGETLB | 0600), -1);
	EXPECT_EQ(errno, EPERM);
	EXPECT_NE(mmap(NULL, PAGE, RW, HUGE_PRIVATE, -1, 0), MAP_FAILED);
}

TEST(huge_segment_reports_the_size_that_was_asked_for)
{
	struct shmid_ds ds;
	int id;

	pool_set(PAGE, 2);
	id = shmget(IPC_PRIVATE, 3000000, IPC_CREAT | SHM_HUGETLB | 0600);
	REQUIRE_GE(id, 0);
	EXPECT_EQ(shmctl(id, IPC_STAT, &ds), 0);
	EXPECT_EQ(ds.shm_segsz, 3000000);
	EXPECT_EQ((void *)shmat(id, (void *)(UINT64_C(0x200000000000) + 4096), 0), (void *)-1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
}
