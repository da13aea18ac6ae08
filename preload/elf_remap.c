/* SPDX-License-Identifier: MIT */
/*
 * elf_remap.c - which segments of which objects, and where their neighbours are
 *
 * Pitfalls.
 * 1. The loader and we ourselves are left alone: they run while this is done. So is
 *    the vdso, which is the kernel's.
 * 2. A segment is "aligned" by its p_align, as its linker meant it, not by where it
 *    happens to lie: its huge pages are its own then, and nothing else is in them.
 *    Linkers don't always begin such a segment on the line (README of linker-scripts).
 *    Scripts of libhugetlbfs align by address alone: p_align says a small page of a
 *    segment that begins on a line, with all of its huge pages to itself. That counts
 *    where the address is the linker's own (a program that isn't PIE).
 */
#include "preload/elf_remap.h"

#include <sys/auxv.h>

#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/image.h"
#include "core/plan.h"
#include "preload/elf_find.h"
#include "preload/elf_symbols.h"

static bool is_wanted(const struct conf *conf, const ElfW(Phdr) *p)
{
	const bool on = p->p_flags & PF_W ? conf->elf.write : conf->elf.read;

	return p->p_type == PT_LOAD && p->p_memsz &&
	       (on || (!conf->elf.given && (p->p_flags & PF_LINUX_HUGETLB)));
}

/* Between the ends of the segments of the object on either side of @p. */
static void set_room(struct image_segment *s, const struct elf_object *o, const ElfW(Phdr) *p)
{
	s->room_lo = 0;
	s->room_hi = UINTPTR_MAX;
	for (size_t i = 0; i < o->phdrs; i++) {
		const ElfW(Phdr) *other = &o->phdr[i];

		if (other->p_type != PT_LOAD || other == p)
			continue;
		if (other->p_vaddr < p->p_vaddr && elf_segment_hi(o, other) > s->room_lo)
			s->room_lo = elf_segment_hi(o, other);
		if (other->p_vaddr > p->p_vaddr && elf_segment_lo(o, other) < s->room_hi)
			s->room_hi = elf_segment_lo(o, other);
	}
}

static bool has_its_pages(const struct image_segment *s, const struct elf_object *o,
			  const ElfW(Phdr) *p)
{
	const size_t page = plan_page_bytes(s->use);

	if (p->p_align >= page)
		return true;
	return o->base == 0 && s->lo % page == 0 && align_up(s->hi, page) <= s->room_hi;
}

/* Is it text, and huge by now? */
static bool remap_segment(const struct conf *conf, const struct elf_object *o, const ElfW(Phdr) *p)
{
	struct image_segment s = {
		.lo = elf_segment_lo(o, p),
		.hi = elf_segment_hi(o, p),
		.use = p->p_flags & PF_W ? USE_DATA : USE_TEXT,
		.force = conf->elf.force,
	};

	set_room(&s, o, p);
	s.aligned = has_its_pages(&s, o, p);
	return image_remap(&s) && (p->p_flags & PF_X);
}

/* The map for perf, made when the first text needs it; -1: not yet. */
static int perf_map = -1;

static void name_symbols(const struct elf_object *o)
{
	if (perf_map == -1)
		perf_map = elf_symbols_open();
	if (perf_map >= 0)
		elf_symbols_add(perf_map, o);
}

static void remap_object(const struct conf *conf, const struct elf_object *o)
{
	bool nameless = false;

	for (size_t i = 0; i < o->phdrs; i++)
		if (is_wanted(conf, &o->phdr[i]) && remap_segment(conf, o, &o->phdr[i]))
			nameless = true;
	if (nameless && conf->elf.perf_map)
		name_symbols(o);
}

static struct span base_name(const char *path)
{
	struct span rest = span_of(path), part, base = { 0 };

	while (span_next_field(&rest, '/', &part))
		base = part;
	return base;
}

static bool is_named(const struct conf *conf, const struct elf_object *o)
{
	const struct span list = span_of(conf->elf.libraries);

	if (elf_holds(o, (uintptr_t)elf_remap_start) || elf_holds(o, getauxval(AT_BASE)) ||
	    elf_holds(o, getauxval(AT_SYSINFO_EHDR)))
		return false;
	return text_listed(list, ':', base_name(o->name)) ||
	       text_listed(list, ':', span_of(o->name));
}

static void remap_libraries(const struct conf *conf)
{
	struct blob objects = { 0 };
	const struct elf_object *o;

	if (elf_find_all(&objects) == 0) {
		o = (const struct elf_object *)objects.at;
		for (size_t i = 1; i < objects.bytes / sizeof(*o); i++)
			if (is_named(conf, &o[i]))
				remap_object(conf, &o[i]);
	}
	blob_free(&objects);
}

/*
 * libhugetlbfs keeps shared text in files, whose pages nobody gives back and whose
 * writers write everybody's code; and a debugger can't set breakpoints in it.
 */
static void refuse_to_share(void)
{
	if (stats_get()->use[USE_TEXT].huge && out_level() >= 1)
		out_say("HUGETLB_SHARE has no effect: every process has its text to itself, "
			"and its children share it", NULL, NULL, NULL, NULL, NULL);
}

void elf_remap_start(const struct conf *conf)
{
	struct elf_object program;

	if (!conf->active || (conf->elf.given && !conf->elf.read && !conf->elf.write) ||
	    !elf_find_program(&program))
		return;
	remap_object(conf, &program);
	if (conf->elf.libraries)
		remap_libraries(conf);
	if (perf_map >= 0)
		sys_close(perf_map);
	if (conf->share)
		refuse_to_share();
}
