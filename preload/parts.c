/* SPDX-License-Identifier: MIT */
/* parts.c - read by the kernel, piece by piece */
#include "preload/parts.h"

#include "core/base/peek.h"
#include "core/route.h"

long parts_read(const struct iovec *from, size_t n, struct iovec to[PARTS_AT_A_TIME])
{
	return peek(to, from, n * sizeof(*to));
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
