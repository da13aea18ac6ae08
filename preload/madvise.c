/* SPDX-License-Identifier: MIT */
/* madvise.c - madvise, posix_madvise, process_madvise */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "core/facts/pidfd.h"
#include "core/route.h"
#include "preload/call.h"

static long advise(void *at, size_t bytes, int advice)
{
	if (route_concerns((uintptr_t)at, bytes))
		return route_advise((uintptr_t)at, bytes, advice);
	return sys_madvise((uintptr_t)at, bytes, advice);
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

static bool concerns_any(const struct iovec *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (route_concerns((uintptr_t)ranges[i].iov_base, ranges[i].iov_len))
			return true;
	return false;
}

/* On ourselves: range by range, and the bytes done when one of them fails later. */
static long advise_ranges(const struct iovec *ranges, size_t n, int advice)
{
	long done = 0;

	for (size_t i = 0; i < n; i++) {
		long err = advise(ranges[i].iov_base, ranges[i].iov_len, advice);

		if (err)
			return done ? done : err;
		done += (long)ranges[i].iov_len;
	}
	return done;
}

HRESV_EXPORT ssize_t process_madvise(int pidfd, const struct iovec *ranges, size_t n, int advice,
				     unsigned flags)
{
	if (flags == 0 && n <= UIO_MAXIOV && concerns_any(ranges, n) && pidfd_is_self(pidfd)) {
		/* What advice is allowed here, the kernel says: ask it about nothing. */
		long err = sys_call(SYS_process_madvise, pidfd, (long)ranges, 0, advice, 0, 0);

		return call_value(err ? err : advise_ranges(ranges, n, advice));
	}
	return call_value(sys_call(SYS_process_madvise, pidfd, (long)ranges, (long)n, advice,
				   (long)flags, 0));
}
