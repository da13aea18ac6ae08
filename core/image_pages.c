/* SPDX-License-Identifier: MIT */
/*
 * image_pages.c - a page at a time: all of it the segment's, of one protection
 *
 * Pitfalls.
 * 1. What the program header says is not how it is mapped by now: the loader has
 *    protected a part (RELRO), and READ_IMPLIES_EXEC adds PROT_EXEC. The kernel knows.
 * 2. Around an aligned segment there is nothing, or, in a library, the loader's own
 *    reservation without access. Anything else there is somebody's.
 * 3. The heap starts right behind bss where addresses are not randomized: a huge page
 *    across that line would be in its way, unless the heap has left it behind
 *    (image_heap.h). What it has in there is data as the segment's: it may become
 *    executable with a segment that is, but readable or writable it must be already.
 */
#include "core/image_pages.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/facts/maps.h"
#include "core/image_heap.h"

/* Marks a mapping that can't be replaced. */
#define PROT_FOREIGN 0x1000

static void add_part(const struct map_part *p, void *arg)
{
	struct image_map *m = arg;
	struct graft_part part = { p->lo, p->hi, p->facts.prot, p->inode == 0 };

	if (p->facts.shared || p->facts.huge)
		part.prot = PROT_FOREIGN;
	if (p->facts.prot == PROT_NONE && !p->inode)
		part.prot = PROT_FOREIGN;
	if (part.anonymous && span_equal(p->name, "[heap]"))
		m->heap_lo = m->heap_lo ? m->heap_lo : p->lo;
	if (blob_add(&m->parts, &part, sizeof(part)) != 0)
		m->failed = true;
}

int image_map_read(struct image_map *m, uintptr_t lo, uintptr_t hi)
{
	int err;

	*m = (struct image_map){ .brk = image_heap_end(),
				 .alone = writers_are_one() };
	err = maps_walk("", lo, hi, add_part, m);
	return m->failed ? -ENOMEM : err;
}

void image_map_free(struct image_map *m)
{
	blob_free(&m->parts);
}

void image_span(const struct image_segment *s, size_t page_bytes, uintptr_t *ret_lo,
		uintptr_t *ret_hi)
{
	uintptr_t lo = align_up(s->lo, page_bytes), hi = align_down(s->hi, page_bytes);

	if (s->aligned && align_down(s->lo, page_bytes) >= s->room_lo)
		lo = align_down(s->lo, page_bytes);
	if (s->aligned && align_up(s->hi, page_bytes) <= s->room_hi)
		hi = align_up(s->hi, page_bytes);
	if (!s->aligned && !s->force)
		hi = lo;
	*ret_lo = lo;
	*ret_hi = hi;
}

static bool heap_is_in(const struct image_map *m, const struct image_segment *s, uintptr_t at,
		       uintptr_t end)
{
	return end > s->hi && (m->brk == UINTPTR_MAX || (m->brk >= at && m->brk < end));
}

/* What the heap has behind the segment, writable as that is. */
static bool heap_fits(const struct image_map *m, const struct graft_part *p, int prot)
{
	return p->anonymous && m->heap_lo && p->lo >= m->heap_lo && p->lo < m->brk &&
	       (p->prot | PROT_EXEC) == (prot | PROT_EXEC) && !(p->prot & ~prot);
}

/* The protection of all that the segment has in [at, end), or PROT_FOREIGN. */
static int prot_of(const struct image_map *m, const struct image_segment *s, uintptr_t at,
		   uintptr_t end)
{
	const struct graft_part *part = (const struct graft_part *)m->parts.at;
	const uintptr_t lo = s->lo > at ? s->lo : at, hi = s->hi < end ? s->hi : end;
	uintptr_t seen = lo;
	int prot = -1;

	for (size_t i = 0; i < m->parts.bytes / sizeof(*part); i++) {
		const struct graft_part *p = &part[i];

		if (p->hi <= at || p->lo >= end)
			continue;
		if (p->lo >= hi || p->hi <= lo) {
			if (p->prot != PROT_NONE && (prot < 0 || !heap_fits(m, p, prot)))
				return PROT_FOREIGN;
			continue;	/* the loader's, beside the segment; or the heap */
		}
		if (p->lo > seen || (prot >= 0 && p->prot != prot))
			return PROT_FOREIGN;
		prot = p->prot;
		seen = p->hi;
	}
	return seen >= hi && prot >= 0 && (prot & PROT_READ) ? prot : PROT_FOREIGN;
}

static bool page_prot(const struct image_map *m, const struct image_segment *s, uintptr_t at,
		      size_t page_bytes, int *ret_prot)
{
	const uintptr_t end = at + page_bytes;
	const bool inside = at >= s->lo && end <= s->hi;

	if (word_kind(pagemap_get(at)) != PAGE_SMALL)
		return false;		/* huge by now */
	if (!inside && (!m->alone || heap_is_in(m, s, at, end)))
		return false;
	*ret_prot = prot_of(m, s, at, end);
	return *ret_prot != PROT_FOREIGN;
}

bool image_next_run(const struct image_map *m, const struct image_segment *s, size_t page_bytes,
		    uintptr_t at, uintptr_t hi, struct image_run *ret)
{
	int prot = 0, next;

	at = align_up(at, page_bytes);
	while (at + page_bytes <= hi && !page_prot(m, s, at, page_bytes, &prot))
		at += page_bytes;
	if (at + page_bytes > hi)
		return false;
	*ret = (struct image_run){ at, at + page_bytes, prot };
	while (ret->hi + page_bytes <= hi &&
	       page_prot(m, s, ret->hi, page_bytes, &next) && next == prot)
		ret->hi += page_bytes;
	return true;
}
