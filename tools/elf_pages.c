/* SPDX-License-Identifier: MIT */
/*
 * elf_pages.c - the rules of core/image_pages.c, on paper
 *
 * A program linked to an address, or aligned to huge pages, lies as its headers say.
 * Any other is put on a line of small pages, so the whole huge pages inside a segment
 * are one more or less.
 */
#include "tools/elf_pages.h"

#define SMALL 4096u

static uint64_t down(uint64_t value, uint64_t unit)
{
	return value - value % unit;
}

static uint64_t up(uint64_t value, uint64_t unit)
{
	return value > UINT64_MAX - unit ? down(UINT64_MAX, unit) : down(value + unit - 1, unit);
}

struct extent {
	uint64_t lo, hi;
};

static struct extent extent_of(const struct elf_segment *s)
{
	uint64_t end = s->vaddr + s->memory_bytes;

	if (end < s->vaddr)
		end = UINT64_MAX;
	return (struct extent){ down(s->vaddr, SMALL), up(end, SMALL) };
}

/* Do other segments lie in [lo, hi)? */
static bool is_shared(const struct elf_facts *f, const struct elf_segment *s, uint64_t lo,
		      uint64_t hi)
{
	for (size_t i = 0; i < f->segments_n; i++) {
		struct extent e = extent_of(&f->segments[i]);

		if (&f->segments[i] != s && e.lo < hi && lo < e.hi)
			return true;
	}
	return false;
}

/* A page across RELRO's end has two protections. */
static uint64_t mixed(const struct elf_segment *s, uint64_t lo, uint64_t hi, uint64_t page)
{
	uint64_t end = down(s->vaddr + s->relro_bytes, SMALL);

	if (!s->relro_bytes || end % page == 0 || end <= lo || end >= extent_of(s).hi)
		return 0;
	return down(end, page) >= lo && down(end, page) + page <= hi;
}

static struct elf_pages exactly(uint64_t pages)
{
	return (struct elf_pages){ pages, pages };
}

static struct elf_pages aligned_pages(const struct elf_facts *f, const struct elf_segment *s,
				      uint64_t page)
{
	const struct extent e = extent_of(s);
	uint64_t lo = down(e.lo, page), hi = up(e.hi, page);

	if (is_shared(f, s, lo, e.lo))
		lo = up(e.lo, page);
	if (is_shared(f, s, e.hi, hi))
		hi = down(e.hi, page);
	return exactly(lo < hi ? (hi - lo) / page - mixed(s, lo, hi, page) : 0);
}

static struct elf_pages inner_pages(const struct elf_facts *f, const struct elf_segment *s,
				    uint64_t page)
{
	const struct extent e = extent_of(s);
	const uint64_t relro = up(s->relro_bytes, SMALL), whole = (e.hi - e.lo) / page;
	uint64_t lo = up(e.lo, page), hi = down(e.hi, page), least;

	if (f->fixed)
		return exactly(lo < hi ? (hi - lo) / page - mixed(s, lo, hi, page) : 0);
	/* Wherever it begins: up to a page less one is lost at the ends, one more to RELRO. */
	least = e.hi - e.lo > page - SMALL ? (e.hi - e.lo - (page - SMALL)) / page : 0;
	if (relro && least && relro < e.hi - e.lo)
		least--;
	return (struct elf_pages){ least, whole };
}

static uint64_t relinked_pages(const struct elf_segment *s, uint64_t page)
{
	const uint64_t relro = s->relro_bytes < s->memory_bytes ? s->relro_bytes : s->memory_bytes;

	return up(relro, page) / page + up(s->memory_bytes - relro, page) / page;
}

/* Or by its address, where that is the linker's own. */
static bool is_aligned(const struct elf_facts *f, const struct elf_segment *s, uint64_t page)
{
	const struct extent e = extent_of(s);

	if (s->align >= page)
		return true;
	return f->fixed && e.lo % page == 0 && !is_shared(f, s, e.hi, up(e.hi, page));
}

void elf_pages_count(struct elf_facts *f, uint64_t page_bytes)
{
	for (size_t i = 0; i < f->segments_n; i++) {
		struct elf_segment *s = &f->segments[i];
		const bool aligned = is_aligned(f, s, page_bytes);

		if (!s->memory_bytes)
			continue;
		s->now = aligned ? aligned_pages(f, s, page_bytes) : exactly(0);
		s->forced = aligned ? s->now : inner_pages(f, s, page_bytes);
		s->relinked = relinked_pages(s, page_bytes);
	}
}
