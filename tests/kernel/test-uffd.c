/* SPDX-License-Identifier: MIT */
/*
 * Write-protection by userfaultfd on huge memory (Linux 5.19, 60dfaad65aa9): writers.c
 * and cow.c hold writers with it while a page is copied and replaced.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "tests/harness/spawn.h"
#include "tests/kernel/kernel.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

static int open_uffd(int flags)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | flags);

	if (fd < 0)
		SKIP("userfaultfd: %s", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api) != 0)
		SKIP("userfaultfd that write-protects huge pages");
	return fd;
}

static void protect(int fd, char *at)
{
	struct uffdio_register reg = { .range = { (uintptr_t)at, PAGE },
				       .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .range = { (uintptr_t)at, PAGE },
					  .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	REQUIRE_EQ(ioctl(fd, UFFDIO_REGISTER, &reg), 0);
	REQUIRE_EQ(ioctl(fd, UFFDIO_WRITEPROTECT, &wp), 0);
}

static struct {
	char *at;
	_Atomic int tid, done, result;
} writer;

static void *store(void *arg)
{
	(void)arg;
	writer.tid = (int)syscall(SYS_gettid);
	*(volatile char *)writer.at = 9;
	writer.done = 1;
	return NULL;
}

static void *read_into(void *arg)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)arg;
	writer.tid = (int)syscall(SYS_gettid);
	writer.result = read(fd, writer.at, 1) == 1 ? 0 : errno;
	writer.done = 1;
	close(fd);
	return NULL;
}

/* Until the thread sleeps in the kernel, in userfaultfd's queue. */
static void wait_until_held(void)
{
	char path[64], text[256];

	for (int i = 0; i < 5000 && !writer.done; i++, usleep(1000)) {
		int fd;

		if (!writer.tid)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)writer.tid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		memset(text, 0, sizeof(text));
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, ") S ")) {
			close(fd);
			return;
		}
		close(fd);
	}
}

/* A writer meets the protection; the page is replaced by small ones; it is woken. */
static void replace_under(void *(*write)(void *), int uffd)
{
	struct uffdio_range range;
	char *small = map_or_fail(PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
	pthread_t thread;

	writer.at = map_populated(PAGE);
	fill_pages(writer.at, PAGE, 1);
	protect(uffd, writer.at);
	REQUIRE_EQ(pthread_create(&thread, NULL, write, NULL), 0);
	wait_until_held();
	EXPECT_FALSE(writer.done);
	memcpy(small, writer.at, PAGE);
	EXPECT_EQ(mremap(small, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, writer.at), writer.at);
	range = (struct uffdio_range){ (uintptr_t)writer.at, PAGE };
	ioctl(uffd, UFFDIO_WAKE, &range);
	pthread_join(thread, NULL);
	EXPECT_EQ(huge_in(writer.at, PAGE), 0);
}

TEST(store_waits_and_lands_in_what_replaced_the_page)
{
	int uffd = open_uffd(0);

	pool_set(PAGE, 1);
	replace_under(store, uffd);
	EXPECT_EQ(writer.at[0], 9);
	munmap(writer.at, PAGE);
	close(uffd);
}

TEST(system_call_waits_and_lands_in_what_replaced_the_page)
{
	int uffd = open_uffd(0);

	pool_set(PAGE, 1);
	replace_under(read_into, uffd);
	EXPECT_EQ(writer.result, 0);
	EXPECT_EQ(writer.at[0], 0);
	munmap(writer.at, PAGE);
	close(uffd);
}

/* WRITERS_USER: threads wait, and the kernel's own writes fail instead. */
TEST(user_mode_only_gives_a_system_call_EFAULT)
{
	int uffd = open_uffd(UFFD_USER_MODE_ONLY);

	pool_set(PAGE, 1);
	writer.at = map_populated(PAGE);
	fill_pages(writer.at, PAGE, 1);
	protect(uffd, writer.at);
	read_into(NULL);
	EXPECT_EQ(writer.result, EFAULT);
	EXPECT_TRUE(holds_pages(writer.at, PAGE, 1));
	munmap(writer.at, PAGE);
	close(uffd);
}

/* A debugger's writes are made without waiting: ARCHITECTURE.md 5 says what that means. */
TEST(write_through_proc_mem_is_EIO_while_writers_are_held)
{
	int uffd = open_uffd(0), mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	pool_set(PAGE, 1);
	writer.at = map_populated(PAGE);
	protect(uffd, writer.at);
	EXPECT_EQ(pwrite(mem, "x", 1, (off_t)(uintptr_t)writer.at), -1);
	EXPECT_EQ(errno, EIO);
	EXPECT_EQ(writer.at[0], 0);
	close(uffd);
	EXPECT_EQ(pwrite(mem, "x", 1, (off_t)(uintptr_t)writer.at), 1);
	EXPECT_EQ(writer.at[0], 'x');
	munmap(writer.at, PAGE);
	close(mem);
}

/* writers.c, pitfall 1: whoever dies half way holds nobody. */
TEST(closing_the_descriptor_lets_writers_go_on)
{
	int uffd = open_uffd(0);
	pthread_t thread;

	pool_set(PAGE, 1);
	writer.at = map_populated(PAGE);
	protect(uffd, writer.at);
	REQUIRE_EQ(pthread_create(&thread, NULL, store, NULL), 0);
	wait_until_held();
	EXPECT_FALSE(writer.done);
	close(uffd);
	pthread_join(thread, NULL);
	EXPECT_EQ(writer.at[0], 9);
	munmap(writer.at, PAGE);
}

/*
 * move.c, pitfall 1. Since Linux 6.17 a call may span several mappings, unless userfaultfd
 * has one of them; that is seen when its turn comes. Before, the new place is gone.
 */
TEST(mremap_of_several_mappings_has_changed_something_when_it_says_EFAULT)
{
	int uffd = open_uffd(0);
	char *room = map_or_fail(3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	char *to = (char *)(((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1)), *at;

	pool_set(PAGE, 2);
	at = map_populated(2 * PAGE);
	fill_pages(at, 2 * PAGE, 1);
	protect(uffd, at + PAGE);
	EXPECT_EQ(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), MAP_FAILED);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(mapped_in(at + PAGE, PAGE), PAGE);
	if (mapped_in(at, PAGE) == 0) {
		EXPECT_EQ(huge_in(to, PAGE), PAGE);
		EXPECT_TRUE(holds_pages(to, PAGE, 1));
		munmap(to, PAGE);
	} else {
		EXPECT_EQ(mapped_in(to, 2 * PAGE), 0);
		munmap(at, PAGE);
	}
	munmap(at + PAGE, PAGE);
	close(uffd);
}

/* Why there is more than one way to hold writers. */
TEST(full_userfaultfd_without_privilege_is_EPERM)
{
	FILE *f = fopen("/proc/sys/vm/unprivileged_userfaultfd", "re");
	int allowed = 1;

	if (!f || fscanf(f, "%d", &allowed) != 1 || allowed)
		SKIP("vm.unprivileged_userfaultfd of 0");
	fclose(f);
	as_user("nobody");
	EXPECT_EQ(syscall(SYS_userfaultfd, O_CLOEXEC), -1);
	EXPECT_EQ(errno, EPERM);
}
