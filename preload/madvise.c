/* SPDX-License-Identifier: MIT */
/* madvise.c - madvise, posix_madvise, process_madvise */
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "core/base/stack.h"
#include "core/facts/pidfd.h"
#include "core/route.h"
#include "preload/call.h"
#include "preload/parts.h"

struct advice {
	uintptr_t at;
	size_t bytes;
	int advice;
};

static long route(void *arg)
{
	const struct advice a = *(const struct advice *)arg;

	return route_advise(a.at, a.bytes, a.advice);
}

/* A coroutine gives up what lies below its frames; ours would be in there. */
static long advise(void *at, size_t bytes, int advice)
{
	struct advice a = { (uintptr_t)at, bytes, advice };

	if (route_concerns(a.at, bytes))
		return stack_clear_of(a.at, a.at + bytes, route, &a);
	return sys_madvise(a.at, bytes, advice);
}

HRESV_EXPORT int madvise(void *at, size_t bytes, int advice)
{
	return (int)call_value(advise(at, bytes, advice));
}

/* POSIX wants the error as the value; libc does nothing for DONTNEED, which would lose data. */
HRESV_EXPORT int posix_madvise(void *at, size_t bytes, int advice)
{
	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	return (int)-advise(at, bytes, advice);
}

/* What the kernel says before it looks at any range: of the list, and of the advice. */
static long refused(int pidfd, const struct iovec *ranges, size_t n, int advice)
{
	long err = sys_call(SYS_process_madvise, -1, (long)ranges, (long)n, advice, 0, 0);

	if (err != -EBADF)
		return err;
	return sys_call(SYS_process_madvise, pidfd, (long)ranges, 0, advice, 0, 0);
}

/* On ourselves: range by range, and the bytes done when one of them fails later. */
static long advise_ranges(const struct iovec *ranges, size_t n, int advice)
{
	struct iovec some[PARTS_AT_A_TIME];
	long done = 0, err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (i % PARTS_AT_A_TIME == 0)
			err = parts_read(ranges + i, parts_at_a_time(n - i), some);
		if (!err)
			err = advise(some[i % PARTS_AT_A_TIME].iov_base, some[i % PARTS_AT_A_TIME].iov_len, advice);
		if (!err)
			done += (long)some[i % PARTS_AT_A_TIME].iov_len;
	}
	return done ? done : err;
}

HRESV_EXPORT ssize_t process_madvise(int pidfd, const struct iovec *ranges, size_t n, int advice,
				     unsigned flags)
{
	if (flags == 0 && n <= UIO_MAXIOV && parts_concern(ranges, n) && pidfd_is_self(pidfd)) {
		long err = refused(pidfd, ranges, n, advice);

		return call_value(err ? err : advise_ranges(ranges, n, advice));
	}
	return call_value(sys_call(SYS_process_madvise, pidfd, (long)ranges, (long)n, advice,
				   (long)flags, 0));
}
