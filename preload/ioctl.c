/* SPDX-License-Identifier: MIT */
/*
 * ioctl.c - memory that the program registers with a userfaultfd of its own
 *
 * It fills small pages at their first fault (a guest restored from a snapshot, memory
 * loaded from afar). Memory of ours has no first fault: it was populated before the
 * program got it. So what is not written yet becomes absent small pages first.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "core/base/peek.h"
#include "core/route.h"
#include "preload/call.h"
#include "preload/ioctl.h"
#include "preload/real.h"

static int (*real_ioctl)(int, unsigned long, ...);

void preload_ioctl_find(void)
{
	real_ioctl = (int (*)(int, unsigned long, ...))(uintptr_t)real_behind("ioctl");
}

/* -ENOMEM: there are no small pages for it. What can't be split (EBUSY) the kernel judges as it is. */
static int make_way(const void *arg)
{
	struct uffdio_register asked = { 0 };

	if (peek(&asked, arg, sizeof(asked)) != 0 || !route_concerns(asked.range.start, asked.range.len))
		return 0;
	return route_make_sparse(asked.range.start, asked.range.len) == -ENOMEM ? -ENOMEM : 0;
}

/* The kernel takes 32 bits of it; who passes an int has the others set. */
static bool registers(unsigned long request)
{
	return (unsigned)request == (unsigned)UFFDIO_REGISTER;
}

long preload_ioctl_raw(int fd, unsigned long request, void *arg)
{
	long err = registers(request) ? make_way(arg) : 0;

	return err ? err : sys_call_own(SYS_ioctl, fd, (long)request, (long)arg, 0, 0, 0);
}

HRESV_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list more;
	void *arg;
	int err;

	va_start(more, request);
	arg = va_arg(more, void *);
	va_end(more);
	err = registers(request) ? make_way(arg) : 0;
	if (err) {
		errno = -err;
		return -1;
	}
	if (real_ioctl)
		return real_ioctl(fd, request, arg);
	return (int)call_value(sys_call_own(SYS_ioctl, fd, (long)request, (long)arg, 0, 0, 0));
}
