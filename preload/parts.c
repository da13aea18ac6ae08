/* SPDX-License-Identifier: MIT */
/* parts.c - read by the kernel, piece by piece */
#include "preload/parts.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/base/sys.h"
#include "core/route.h"

long parts_read(const struct iovec *from, size_t n, struct iovec to[PARTS_AT_A_TIME])
{
	const struct iovec mine = { to, n * sizeof(*to) };
	const struct iovec theirs = { (void *)(uintptr_t)from, n * sizeof(*from) };
	long got = sys_call(SYS_process_vm_readv, sys_getpid(), (long)&mine, 1, (long)&theirs, 1, 0);

	if (sys_failed(got) && got != -EFAULT) {
		memcpy(to, from, n * sizeof(*to));
		return 0;
	}
	return got == (long)mine.iov_len ? 0 : -EFAULT;
}

bool parts_concern(const struct iovec *parts, size_t n)
{
	struct iovec some[PARTS_AT_A_TIME];

	for (size_t done = 0, k; done < n; done += k) {
		k = parts_at_a_time(n - done);
		if (parts_read(parts + done, k, some) != 0)
			return false;
		for (size_t i = 0; i < k; i++)
			if (route_concerns((uintptr_t)some[i].iov_base, some[i].iov_len))
				return true;
	}
	return false;
}
