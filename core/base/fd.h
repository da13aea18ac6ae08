/* SPDX-License-Identifier: MIT */
/* fd.h - descriptors of ours that outlive a call */
#ifndef HRESV_CORE_BASE_FD_H
#define HRESV_CORE_BASE_FD_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/base/mem.h"
#include "core/base/sys.h"

#define FD_HIGH 900

/*
 * Programs expect the lowest free number from open(2), and count on what they
 * get: keep out of their way. Returns the new number, close-on-exec, or @fd when
 * there is none (a low RLIMIT_NOFILE).
 */
static inline int fd_move_up(int fd)
{
	long high = sys_fcntl(fd, F_DUPFD_CLOEXEC, (void *)(uintptr_t)FD_HIGH);

	if (high < 0)
		return fd;
	sys_close(fd);
	return (int)high;
}

/* Below this a program may use every number it is allowed. */
#define FD_FEW 64

/*
 * The same for what the program did not ask for, and is done without: under a low limit
 * it goes to the last eighth of the numbers, and where they are few, or taken, it is closed.
 * -errno then.
 */
static inline int fd_out_of_the_way(int fd)
{
	long high = sys_fcntl(fd, F_DUPFD_CLOEXEC, (void *)(uintptr_t)FD_HIGH);

	if (high == -EINVAL) {
		const uint64_t most = mem_limit(RLIMIT_NOFILE);

		high = most < FD_FEW ? -EMFILE :
				       sys_fcntl(fd, F_DUPFD_CLOEXEC,
						 (void *)(uintptr_t)(most - most / 8));
	}
	sys_close(fd);
	return (int)high;
}

/*
 * A descriptor that is closed long after it was made: by then the program may have
 * closed the number (closefrom(3)), and opened something of its own there.
 */
struct fd_kept {
	int fd;
	dev_t dev;
	ino_t ino;
};

static inline struct fd_kept fd_mark(int fd)
{
	struct stat st;

	if (sys_fstat(fd, &st) != 0)
		return (struct fd_kept){ .fd = fd };
	return (struct fd_kept){ fd, st.st_dev, st.st_ino };
}

static inline bool fd_is_kept(const struct fd_kept *k)
{
	struct stat st;
	long err = sys_fstat(k->fd, &st);

	/* Where nobody can say (a filter), it is taken for what it was. */
	return err != -EBADF &&
	       (err || !k->ino || (st.st_dev == k->dev && st.st_ino == k->ino));
}

static inline void fd_give_up(const struct fd_kept *k)
{
	if (fd_is_kept(k))
		sys_close(k->fd);
}

/*
 * While there is one thread: where several share a table of descriptors, the kernel
 * waits for all processors before it makes it larger, 5 to 50 ms in somebody's fork.
 */
static inline void fd_make_room(void)
{
	for (int fd = 0; fd < 3; fd++) {
		long high = sys_fcntl(fd, F_DUPFD_CLOEXEC, (void *)(uintptr_t)FD_HIGH);

		if (high >= 0)
			sys_close((int)high);
		if (high != -EBADF)
			return;
	}
}

#endif
