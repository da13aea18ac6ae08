/* SPDX-License-Identifier: MIT */
/*
 * mmap.c - mmap and mmap64
 *
 * The common call, a small mapping or a file, must cost nothing: two tests of
 * the arguments and the raw system call.
 */
#include <stdbool.h>
#include <sys/mman.h>

#include "core/act/pagemap.h"
#include "core/base/align.h"
#include "core/guard.h"
#include "core/route.h"
#include "preload/call.h"

/* Smaller than any page we reroute, nowhere we are, and nothing huge asked. */
static inline bool is_plain(size_t bytes, int flags)
{
	return bytes < GRANULE && !(flags & (MAP_HUGETLB | MAP_FIXED));
}

/*
 * Mappings of hugetlbfs lie on huge page lines; other small files hardly ever
 * do. So only those few pay for finding out, by being mapped again.
 */
static bool may_be_huge_file(long at, int flags)
{
	return !(flags & MAP_ANONYMOUS) && !sys_failed(at) && is_aligned((uintptr_t)at, GRANULE);
}

static long map(const struct request *rq)
{
	size_t page;
	long at;

	if (!is_plain(rq->bytes, rq->flags))
		return route_map(rq);
	at = sys_mmap(rq->at, rq->bytes, rq->prot, rq->flags, rq->fd, rq->offset);
	if (may_be_huge_file(at, rq->flags) && (page = guard_page_bytes(rq->fd)) != 0) {
		sys_munmap((uintptr_t)at, align_up(rq->bytes, page));
		at = route_map(rq);
	}
	return at;
}

static inline struct request request_of(void *at, size_t bytes, int prot, int flags, int fd,
					off_t offset)
{
	return (struct request){ .use = USE_MMAP, .at = (uintptr_t)at, .bytes = bytes,
				 .prot = prot, .flags = flags, .fd = fd, .offset = offset };
}

HRESV_EXPORT void *mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	const struct request rq = request_of(at, bytes, prot, flags, fd, offset);

	return call_pointer(map(&rq));
}

HRESV_EXPORT void *mmap64(void *at, size_t bytes, int prot, int flags, int fd, off64_t offset)
{
	const struct request rq = request_of(at, bytes, prot, flags, fd, offset);

	return call_pointer(map(&rq));
}
