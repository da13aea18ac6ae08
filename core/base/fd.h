/* SPDX-License-Identifier: MIT */
/* fd.h - descriptors of ours that outlive a call */
#ifndef HRESV_CORE_BASE_FD_H
#define HRESV_CORE_BASE_FD_H

#include <fcntl.h>
#include <stdint.h>

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

#endif
