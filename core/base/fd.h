/* SPDX-License-Identifier: MIT */
/* fd.h - descriptors of ours that outlive a call */
#ifndef HRESV_CORE_BASE_FD_H
#define HRESV_CORE_BASE_FD_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

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

/*
 * Programs close descriptors they do not know, and open others in their place: what is
 * closed later is looked at first.
 */
struct fd_kept {
	int fd;
	dev_t device;
	ino_t inode;
};

static inline struct fd_kept fd_keep(int fd)
{
	struct stat st;

	if (sys_fstat(fd, &st) != 0)
		return (struct fd_kept){ .fd = fd };
	return (struct fd_kept){ fd, st.st_dev, st.st_ino };
}

static inline void fd_close_kept(const struct fd_kept *k)
{
	struct stat st;
	long err = sys_fstat(k->fd, &st);

	if (err == -EBADF ||
	    (!err && k->inode && (st.st_dev != k->device || st.st_ino != k->inode)))
		return;
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
