/* SPDX-License-Identifier: MIT */
/* settle.c - what was placed is remembered, part by part */
#include "core/settle.h"

#include <sys/mman.h>

#include "core/act/pagemap.h"
#include "core/act/promote.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/facts/conf.h"
#include "core/route.h"

static bool is_locked(const struct request *rq)
{
	return (rq->flags & MAP_LOCKED) || route_locks_new();
}

/* Small pages of ours between the huge parts: candidates for promotion. */
void settle_small(const struct request *rq, uintptr_t lo, uintptr_t hi)
{
	uintptr_t from = align_up(lo, GRANULE), to = align_down(hi, GRANULE);

	if (from >= to || (rq->flags & MAP_TYPE) != MAP_PRIVATE || is_locked(rq))
		return;
	pagemap_set(from, to, word_make(PAGE_SMALL, rq->prot, mem_page_bytes(), rq->use));
	promote_note(from, to);
}

int settle_publish(const struct request *rq, const struct placed *p)
{
	enum page_kind kind = (rq->flags & MAP_TYPE) == MAP_SHARED ? PAGE_SHARED : PAGE_PRIVATE;
	uintptr_t at = p->at;
	int err = pagemap_prepare(p->at, p->at + p->bytes);

	if (err)
		return err;
	for (size_t i = 0; i < p->parts; i++) {
		const struct part *part = &p->part[i];

		settle_small(rq, at, part->at);
		pagemap_set(part->at, part->at + part->bytes,
			    word_make(kind, rq->prot, part->page_bytes, rq->use) |
				    (is_locked(rq) ? WORD_LOCKED : 0));
		at = part->at + part->bytes;
	}
	settle_small(rq, at, p->at + p->bytes);
	return 0;
}

/*
 * The kernel's own huge pages for what has none of the pool. The advice also
 * reaches the rest of a mapping of which a part is on the pool.
 */
void settle_advise(const struct placed *p)
{
	uintptr_t at = p->at;

	if (conf_get()->fallback != FALLBACK_THP)
		return;
	for (size_t i = 0; i <= p->parts; i++) {
		uintptr_t to = i < p->parts ? p->part[i].at : p->at + p->bytes;

		if (to > at && to - at >= GRANULE)
			place_advise(at, to - at);
		if (i < p->parts)
			at = p->part[i].at + p->part[i].bytes;
	}
}
