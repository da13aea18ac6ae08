/* SPDX-License-Identifier: MIT */
/*
 * What the kernel does with mappings of huge pages when they are moved, cut, replaced,
 * advised or write-protected: the ground under place, undo and demote.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/linux.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define HUGE_PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE)

#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

static char *map(size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, RW, HUGE_PRIVATE, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

static char *line_in(size_t pages)
{
	char *at = mmap(NULL, (pages + 1) * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);

	return (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));
}

TEST(mremap_moves_a_whole_huge_mapping_over_small_pages)
{
	char *to = line_in(4), *at;

	need_linux(5, 16);
	pool_set(PAGE, 2);
	at = map(2);
	fill_pages(at, 2 * PAGE, 1);
	fill_pages(to, 4 * PAGE, 2);
	EXPECT_EQ(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE), to + PAGE);
	EXPECT_TRUE(holds_pages(to, PAGE, 2));
	EXPECT_TRUE(holds_pages(to + PAGE, 2 * PAGE, 1));
	EXPECT_EQ(huge_in(to, 4 * PAGE), 2 * PAGE);
	EXPECT_EQ(mapped_in(at, 2 * PAGE), 0);
}

TEST(mremap_moves_small_pages_over_a_part_of_a_huge_mapping)
{
	char *small = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;

	pool_set(PAGE, 3);
	at = map(3);
	fill_pages(at, 3 * PAGE, 1);
	fill_pages(small, PAGE, 2);
	EXPECT_EQ(mremap(small, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE), at + PAGE);
	EXPECT_TRUE(holds_pages(at + PAGE, PAGE, 2));
	EXPECT_TRUE(holds_pages(at, PAGE, 1));
	EXPECT_EQ(pool_free(PAGE), 1);
	EXPECT_EQ(munmap(at, 3 * PAGE), 0);
}

TEST(mremap_onto_itself_is_refused)
{
	char *at;

	pool_set(PAGE, 2);
	at = map(2);
	EXPECT_EQ(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(mremap(at, PAGE, 3 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
}

/* The control of all building aside. */
TEST(refused_map_fixed_has_destroyed_what_was_there)
{
	char *at = line_in(4);

	pool_set(PAGE, 1);
	fill_pages(at, 4 * PAGE, 1);
	EXPECT_EQ(mmap(at, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0),
		  MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(mapped_in(at, 4 * PAGE), 0);
}

TEST(munmap_of_a_part_of_a_page_is_refused_whole)
{
	char *at;

	pool_set(PAGE, 2);
	at = map(2);
	for (size_t bytes = 4096; bytes < PAGE; bytes *= 8) {
		EXPECT_EQ(munmap(at, bytes), -1);
		EXPECT_EQ(errno, EINVAL);
	}
	EXPECT_EQ(munmap(at + 4096, PAGE), -1);
	EXPECT_EQ(mapped_in(at, 2 * PAGE), 2 * PAGE);
	EXPECT_EQ(munmap(at, PAGE), 0);
	EXPECT_EQ(munmap(at + PAGE, PAGE), 0);
}

TEST(size_of_a_page_is_told_by_the_first_munmap_that_is_taken)
{
	size_t page = pool_default_page_bytes(), bytes = 65536;
	void *at = mmap(NULL, 1, PROT_NONE, HUGE_PRIVATE, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	while (munmap(at, bytes) != 0 && bytes < 64 * GIB)
		bytes *= 2;
	EXPECT_EQ(bytes, page);
	EXPECT_EQ(mmap(NULL, 1, PROT_NONE, HUGE_PRIVATE | 45 << 26, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
}

TEST(madvise_cold_is_refused_for_huge_pages_alone)
{
	char *small = line_in(1), *at;

	pool_set(PAGE, 1);
	at = map(1);
	EXPECT_EQ(madvise(at, 4096, MADV_COLD), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(madvise(small, 4096, MADV_COLD), 0);
}

/* Locked small pages refuse it too. Advice that cuts a mapping tells them apart. */
TEST(madvise_sequential_of_a_part_is_refused_for_huge_pages_alone_locked_or_not)
{
	char *small, *at;

	pool_set(PAGE, 1);
	if (mlockall(MCL_FUTURE) != 0)
		SKIP("leave to lock memory: %s", strerror(errno));
	small = line_in(1);
	at = map(1);
	EXPECT_EQ(madvise(small, 4096, MADV_COLD), -1);
	EXPECT_EQ(madvise(small, 4096, MADV_SEQUENTIAL), 0);
	EXPECT_EQ(madvise(at, 4096, MADV_SEQUENTIAL), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(munlockall(), 0);
	EXPECT_EQ(madvise(at, 4096, MADV_SEQUENTIAL), -1);
	EXPECT_EQ(errno, EINVAL);
}

/* Whoever asks this way hears the truth and changes nothing (core/base/peek.c). */
TEST(sigprocmask_of_no_kind_says_whether_its_set_can_be_read)
{
	uint64_t all = ~(uint64_t)0;
	char *closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t now;

	EXPECT_EQ(syscall(SYS_rt_sigprocmask, -1, &all, NULL, sizeof(all)), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(syscall(SYS_rt_sigprocmask, -1, closed, NULL, sizeof(all)), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	EXPECT_EQ(sigismember(&now, SIGUSR1), 0);
}

TEST(dontneed_of_less_than_a_page_succeeds_and_does_nothing)
{
	char *at;

	need_linux(5, 18);
	pool_set(PAGE, 2);
	at = map(2);
	fill_pages(at, 2 * PAGE, 1);
	EXPECT_EQ(madvise(at, 4096, MADV_DONTNEED), 0);
	EXPECT_TRUE(holds_pages(at, 2 * PAGE, 1));
	EXPECT_EQ(madvise(at + 4096, PAGE, MADV_DONTNEED), -1);
	EXPECT_EQ(madvise(at, PAGE + 4096, MADV_DONTNEED), 0);
	EXPECT_TRUE(is_zero(at, PAGE));
	EXPECT_NE(*(uint64_t *)(void *)(at + PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 0);		/* read again, the page was taken again */
	EXPECT_EQ(madvise(at, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
}

TEST(mincore_counts_a_huge_page_as_present_in_every_part)
{
	unsigned char vec[512] = { 0 };
	char *at;

	pool_set(PAGE, 2);
	at = map(2);
	at[PAGE + 5] = 1;
	EXPECT_EQ(mincore(at + PAGE, PAGE, vec), 0);
	for (int i = 0; i < 512; i++)
		EXPECT_EQ(vec[i] & 1, 1);
	EXPECT_EQ(mincore(at, 4096, vec), 0);
	EXPECT_EQ(vec[0] & 1, 0);
}

TEST(flock_on_the_pools_file_excludes_by_open_file)
{
	static const char path[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	int a = open(path, O_RDONLY | O_CLOEXEC), b = open(path, O_RDONLY | O_CLOEXEC);

	if (a < 0)
		SKIP("%s", path);
	EXPECT_EQ(flock(a, LOCK_SH | LOCK_NB), 0);
	EXPECT_EQ(flock(b, LOCK_SH | LOCK_NB), 0);
	EXPECT_EQ(flock(b, LOCK_EX | LOCK_NB), -1);
	EXPECT_EQ(errno, EWOULDBLOCK);
	close(a);
	EXPECT_EQ(flock(b, LOCK_EX | LOCK_NB), 0);
	close(b);
}

static char *held;
static volatile int wrote;

static void *write_one(void *unused)
{
	*(volatile char *)(held + 4096) = 7;
	wrote = 1;
	return unused;
}

static int open_wp(char *at)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
	struct uffdio_register reg = { .range = { (uintptr_t)at, PAGE },
				       .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .range = { (uintptr_t)at, PAGE },
					  .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
		SKIP("userfaultfd with write-protection of huge pages");
	REQUIRE_EQ(ioctl(fd, UFFDIO_REGISTER, &reg), 0);
	REQUIRE_EQ(ioctl(fd, UFFDIO_WRITEPROTECT, &wp), 0);
	return fd;
}

/* A writer waits without anybody reading its fault; after the swap a wake lets it write there. */
TEST(userfaultfd_holds_a_writer_until_it_is_woken_on_what_is_there_then)
{
	const struct timespec moment = { 0, 20000000 };
	struct uffdio_range range;
	pthread_t thread;
	char *small;
	int fd;

	pool_set(PAGE, 1);
	held = map(1);
	fill_pages(held, PAGE, 1);
	fd = open_wp(held);
	pthread_create(&thread, NULL, write_one, NULL);
	nanosleep(&moment, NULL);	/* too short, it proves less, and fails no one */
	EXPECT_EQ(wrote, 0);
	small = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(small, held, PAGE);
	EXPECT_EQ(mremap(small, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, held), held);
	range = (struct uffdio_range){ (uintptr_t)held, PAGE };
	EXPECT_EQ(ioctl(fd, UFFDIO_WAKE, &range), 0);
	pthread_join(thread, NULL);
	EXPECT_EQ(held[4096], 7);
	EXPECT_EQ(huge_in(held, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	close(fd);
}

/* A page populated without a reservation is never taken from a child of fork. */
TEST(unreserved_populated_page_stays_readable_in_parent_and_child)
{
	int status;
	char *at;

	pool_set(PAGE, 1);
	at = map(1);
	fill_pages(at, PAGE, 1);
	if (fork() == 0)
		_exit(holds_pages(at, PAGE, 1) ? 0 : 1);
	wait(&status);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(holds_pages(at, PAGE, 1));
	at[0] = 5;	/* the child is gone: no copy, no page needed */
}
