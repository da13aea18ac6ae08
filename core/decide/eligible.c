/* SPDX-License-Identifier: MIT */
/* eligible.c - what is rerouted, guarded, or left alone */
#include "core/decide/eligible.h"

#include <linux/mman.h>
#include <sys/mman.h>

#include "core/base/align.h"

/*
 * What a rerouted mapping may carry. Everything else (MAP_32BIT, MAP_SYNC, a
 * flag of tomorrow) means something we would have to imitate, so it passes.
 */
#define FLAGS_KNOWN \
	(MAP_TYPE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED | MAP_NONBLOCK | MAP_FIXED | \
	 MAP_FIXED_NOREPLACE | MAP_DENYWRITE | MAP_EXECUTABLE)

/* No machine has so much address space; sums with it would wrap. */
#define BYTES_ABSURD ((size_t)1 << 56)

static enum verdict pass(enum reason why, enum reason *ret_why)
{
	*ret_why = why;
	return VERDICT_PASS;
}

size_t eligible_flag_size(int flags)
{
	unsigned shift = ((unsigned)flags >> MAP_HUGE_SHIFT) & MAP_HUGE_MASK;

	return shift ? (size_t)1 << shift : 0;
}

enum verdict eligible(const struct request *rq, const struct conf *conf, size_t page_bytes,
		      enum reason *ret_why)
{
	size_t least = conf->mmap_min ? conf->mmap_min : page_bytes;

	*ret_why = REASON_NONE;
	if (!(rq->flags & MAP_ANONYMOUS))
		return pass(REASON_NONE, ret_why);
	if (rq->flags & MAP_HUGETLB)
		return VERDICT_GUARD;
	if (!conf->active || !conf->mmap.on)
		return pass(REASON_FILTERED, ret_why);
	if (page_bytes == 0)
		return pass(REASON_POOL_SHORT, ret_why);
	if (rq->bytes >= BYTES_ABSURD)
		return pass(REASON_NONE, ret_why);
	if (rq->bytes < page_bytes || rq->bytes < least)
		return pass(REASON_TOO_SMALL, ret_why);
	if (rq->flags & (MAP_STACK | MAP_GROWSDOWN))
		return pass(REASON_STACK, ret_why);
	if (rq->flags & MAP_NORESERVE)
		return pass(REASON_NORESERVE, ret_why);
	if ((rq->prot & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE) ||
	    (rq->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)))
		return pass(REASON_NOT_WRITABLE, ret_why);
	if (rq->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return pass(REASON_FIXED, ret_why);
	if (rq->flags & ~FLAGS_KNOWN)
		return pass(REASON_FIXED, ret_why);
	if ((rq->flags & MAP_TYPE) != MAP_PRIVATE && (rq->flags & MAP_TYPE) != MAP_SHARED)
		return pass(REASON_FIXED, ret_why);
	return VERDICT_REROUTE;
}
