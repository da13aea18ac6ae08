/* SPDX-License-Identifier: MIT */
/*
 * A program that fills memory at its first fault by a userfaultfd of its own, 4 KiB at a
 * time, as what restores a guest from a snapshot does. Memory of ours has such faults too.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define SMALL ((size_t)4096)
#define RW (PROT_READ | PROT_WRITE)

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static struct {
	int fd;
	size_t filled;
} filler;

static char filling(uintptr_t page)
{
	return (char)(page / SMALL % 100 + 1);
}

static void *fill(void *unused)
{
	static char content[4096] __attribute__((aligned(4096)));
	struct uffd_msg msg;

	(void)unused;
	while (read(filler.fd, &msg, sizeof(msg)) == (ssize_t)sizeof(msg)) {
		uintptr_t at = msg.arg.pagefault.address & ~(SMALL - 1);
		struct uffdio_copy c = { .dst = at, .src = (uintptr_t)content, .len = SMALL };

		memset(content, filling(at), SMALL);
		filler.filled++;	/* before whoever waits goes on and counts */
		if (ioctl(filler.fd, UFFDIO_COPY, &c) != 0)
			FAIL("UFFDIO_COPY: errno %d", errno);
	}
	return NULL;
}

static void open_userfault(void)
{
	struct uffdio_api api = { .api = UFFD_API };

	filler.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	REQUIRE_GE(filler.fd, 0);
	REQUIRE_EQ(ioctl(filler.fd, UFFDIO_API, &api), 0);
}

static void register_missing(char *at, size_t bytes, bool by_number)
{
	struct uffdio_register r = { .range = { (uintptr_t)at, bytes },
				     .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (by_number)
		REQUIRE_EQ(syscall(SYS_ioctl, filler.fd, UFFDIO_REGISTER, &r), 0);
	else
		REQUIRE_EQ(ioctl(filler.fd, (unsigned long)(int)UFFDIO_REGISTER, &r), 0);
}

static void fault_all(char *at, size_t bytes, const char *written)
{
	for (char *p = at; p < at + bytes; p += SMALL) {
		char want = p == written ? 'w' : filling((uintptr_t)p);

		if (*(volatile char *)p != want) {
			FAIL("at %zu: %d, not %d", (size_t)(p - at), *p, want);
			return;
		}
	}
}

/* All of it but a part that is no multiple of a huge page, in two ways. */
PROGRAM(fills_at_first_fault)
{
	char *at = mmap(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *written = at + PAGE + 5 * SMALL;
	pthread_t thread;

	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, 8 * MIB), 8 * MIB);
	*written = 'w';
	at[7 * MIB] = 'k';
	open_userfault();
	register_missing(at, 3 * MIB, false);
	register_missing(at + 4 * MIB, MIB + 3 * SMALL, true);
	REQUIRE_EQ(pthread_create(&thread, NULL, fill, NULL), 0);
	fault_all(at, 3 * MIB, written);
	fault_all(at + 4 * MIB, MIB + 3 * SMALL, NULL);
	EXPECT_EQ(filler.filled, 3 * MIB / SMALL - 1 + MIB / SMALL + 3);
	EXPECT_EQ(at[7 * MIB], 'k');
	EXPECT_EQ(huge_in(at + 6 * MIB, PAGE), PAGE);
	EXPECT_TRUE(is_zero(at + 3 * MIB, MIB));
	EXPECT_EQ(munmap(at, 8 * MIB), 0);
}

/* A bad pointer, a bad command, memory of nobody: the kernel's answers. */
PROGRAM(asks_its_userfault_for_nonsense)
{
	struct uffdio_register r = { .range = { 0, 0 }, .mode = UFFDIO_REGISTER_MODE_MISSING };

	open_userfault();
	EXPECT_EQ(ioctl(filler.fd, UFFDIO_REGISTER, (void *)8), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(ioctl(filler.fd, UFFDIO_REGISTER, &r), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(ioctl(-1, UFFDIO_REGISTER, &r), -1);
	EXPECT_EQ(errno, EBADF);
	EXPECT_EQ(syscall(SYS_ioctl, filler.fd, UFFDIO_REGISTER, (void *)8), -1);
	EXPECT_EQ(errno, EFAULT);
}

TEST(memory_filled_by_the_programs_userfaultfd_has_a_first_fault_for_each_small_page)
{
	pool_set(PAGE, 4);
	run_with_us("fills_at_first_fault");
	run_with_us("asks_its_userfault_for_nonsense");
}
