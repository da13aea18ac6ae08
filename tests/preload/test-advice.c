/* SPDX-License-Identifier: MIT */
/* Advice and its kin: what is asked of the program's memory is answered as without us. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define LIST 300	/* longer than one reading of it */

static void refuses(int pidfd, const void *list, size_t n, int error)
{
	errno = 0;
	EXPECT_EQ(process_madvise(pidfd, list, n, MADV_COLD, 0), -1);
	EXPECT_EQ(errno, error);
}

/* A list that can't be read, or only its beginning, or that says too much. */
PROGRAM(advises_itself_by_bad_lists)
{
	char *at = mmap(NULL, 2 * PAGE, RW, PRIVATE, -1, 0);
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	char *edge = mmap(NULL, 8192, RW, PRIVATE, -1, 0);
	struct iovec *list = (struct iovec *)(void *)(edge + 4096) - LIST;

	if (syscall(SYS_process_madvise, -1, NULL, 0, MADV_COLD, 0) == -1 && errno == ENOSYS)
		_exit(0);
	munmap(edge + 4096, 4096);
	for (int i = 0; i < 256; i++)
		list[LIST - 256 + i] = (struct iovec){ at + i % 2 * 4096, 4096 };
	list += LIST - 256;
	refuses(pidfd, (void *)16, 1, EFAULT);
	refuses(pidfd, edge + 4096, 1, EFAULT);
	refuses(pidfd, edge + 4096 - sizeof(*list) / 2, 1, EFAULT);
	refuses(pidfd, list, 257, EFAULT);
	refuses(pidfd, list, UIO_MAXIOV + 1, EINVAL);
	EXPECT_EQ(process_madvise(pidfd, list, 256, MADV_COLD, 0), 256 * 4096);
	EXPECT_EQ(process_madvise(pidfd, list, 0, MADV_COLD, 0), 0);
	list[255].iov_len = (size_t)-4096;
	refuses(pidfd, list, 256, EINVAL);
	EXPECT_TRUE(is_zero(at, 2 * PAGE));
	EXPECT_EQ(munmap(at, 2 * PAGE), 0);
	close(pidfd);
}

TEST(process_madvise_by_a_bad_list_fails_as_without_us)
{
	pool_set(PAGE, 2);
	EXPECT_EQ(program_alone("advises_itself_by_bad_lists", NULL).exit_status, 0);
	run_with_us("advises_itself_by_bad_lists");
}
