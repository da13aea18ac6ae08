/* SPDX-License-Identifier: MIT */
/*
 * info.c - mallinfo, mallinfo2, malloc_info, malloc_stats, malloc_trim, mallopt
 *
 * In glibc's terms: what the heap has from the kernel (arena), what of it the
 * program holds (uordblks), the rest (fordblks), and what a trim could give back
 * (keepcost). All is one heap here; nothing is mapped apart from it (hblks).
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>

#include "allocator/arena.h"
#include "allocator/cache.h"
#include "allocator/engine.h"
#include "allocator/family.h"
#include "allocator/mode.h"
#include "allocator/next.h"
#include "allocator/unit.h"
#include "core/base/mem.h"
#include "core/base/out.h"

struct figures {
	size_t held;		/* by the program, from the engine's point of view */
	size_t dirty;		/* free, kept for the next call */
	size_t records;		/* the engine's own */
	size_t system;		/* huge and small memory behind the heap */
	size_t huge, small;
	size_t arenas;
};

static size_t read_size(const char *name)
{
	size_t value = 0, bytes = sizeof(value);

	return je_mallctl(name, &value, &bytes, NULL, 0) == 0 ? value : 0;
}

static struct figures read_figures(void)
{
	const struct unit_totals *t = unit_totals();
	struct figures f = { 0 };
	uint64_t epoch = 1;
	size_t bytes = sizeof(epoch), kept;

	if (mode_now() != MODE_OURS)
		return f;
	je_mallctl("epoch", &epoch, &bytes, &epoch, sizeof(epoch));
	f.held = read_size("stats.allocated");
	kept = cache_bytes();
	f.held = f.held > kept ? f.held - kept : 0;
	f.records = read_size("stats.metadata");
	/* 4096 is MALLCTL_ARENAS_ALL. */
	f.dirty = (read_size("stats.arenas.4096.pdirty") + read_size("stats.arenas.4096.pmuzzy")) *
		  mem_page_bytes();
	f.huge = __atomic_load_n(&t->huge, __ATOMIC_RELAXED);
	f.small = __atomic_load_n(&t->small, __ATOMIC_RELAXED);
	f.system = f.huge + f.small;
	f.arenas = arena_count();
	return f;
}

HRESV_EXPORT struct mallinfo2 mallinfo2(void)
{
	struct figures f;

	if (mode_settled() == MODE_NEXT)
		return next()->mallinfo2 ? next()->mallinfo2() : (struct mallinfo2){ 0 };
	f = read_figures();
	return (struct mallinfo2){
		.arena = f.system,
		.ordblks = 1,
		.uordblks = f.held,
		.fordblks = f.system > f.held ? f.system - f.held : 0,
		.keepcost = f.dirty,
	};
}

/* As glibc's: what does not fit an int is cut off. */
HRESV_EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 m;

	if (mode_settled() == MODE_NEXT)
		return next()->mallinfo ? next()->mallinfo() : (struct mallinfo){ 0 };
	m = mallinfo2();
	return (struct mallinfo){
		.arena = (int)m.arena,
		.ordblks = (int)m.ordblks,
		.uordblks = (int)m.uordblks,
		.fordblks = (int)m.fordblks,
		.keepcost = (int)m.keepcost,
	};
}

/* glibc's document, with what is huge and what is small added. */
HRESV_EXPORT int malloc_info(int options, FILE *to)
{
	struct figures f;

	if (mode_settled() == MODE_NEXT && next()->malloc_info)
		return next()->malloc_info(options, to);
	if (options != 0)
		return EINVAL;
	f = read_figures();
	fprintf(to,
		"<malloc version=\"1\">\n"
		"<heap nr=\"0\">\n<sizes>\n</sizes>\n"
		"<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
		"<total type=\"rest\" count=\"1\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n"
		"<system type=\"max\" size=\"%zu\"/>\n"
		"<aspace type=\"total\" size=\"%zu\"/>\n"
		"<aspace type=\"mprotect\" size=\"%zu\"/>\n"
		"</heap>\n"
		"<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
		"<total type=\"rest\" count=\"1\" size=\"%zu\"/>\n"
		"<total type=\"mmap\" count=\"0\" size=\"0\"/>\n"
		"<total type=\"huge\" size=\"%zu\"/>\n"
		"<total type=\"small\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n"
		"<system type=\"max\" size=\"%zu\"/>\n"
		"<aspace type=\"total\" size=\"%zu\"/>\n"
		"<aspace type=\"mprotect\" size=\"%zu\"/>\n"
		"</malloc>\n",
		f.system - (f.held < f.system ? f.held : f.system), f.system, f.system,
		(size_t)unit_totals()->space, f.system,
		f.system - (f.held < f.system ? f.held : f.system), f.huge, f.small, f.system,
		f.system, (size_t)unit_totals()->space, f.system);
	return 0;
}

static void say_bytes(const char *what, size_t bytes)
{
	struct line l;
	size_t mark;

	line_start(&l);
	line_text(&l, what);
	line_column(&l, 18);
	line_text(&l, "=");
	mark = l.bytes;
	line_u64(&l, bytes);
	line_right(&l, mark, 34);
	line_send(&l);
}

HRESV_EXPORT void malloc_stats(void)
{
	struct figures f;

	if (mode_settled() == MODE_NEXT && next()->malloc_stats) {
		next()->malloc_stats();
		return;
	}
	f = read_figures();
	say_bytes("arenas", f.arenas);
	say_bytes("system bytes", f.system);
	say_bytes("  huge", f.huge);
	say_bytes("  small", f.small);
	say_bytes("in use bytes", f.held);
	say_bytes("kept free bytes", f.dirty);
	say_bytes("records bytes", f.records);
}

static uint64_t behind_heap(void)
{
	return __atomic_load_n(&unit_totals()->huge, __ATOMIC_RELAXED) +
	       __atomic_load_n(&unit_totals()->small, __ATOMIC_RELAXED);
}

/* Everything free goes, whatever @pad says: the next call gets it back cheaply. */
HRESV_EXPORT int malloc_trim(size_t pad)
{
	uint64_t before = behind_heap();

	if (mode_settled() == MODE_NEXT)
		return next()->malloc_trim ? next()->malloc_trim(pad) : 0;
	if (mode_now() != MODE_OURS)
		return 0;
	if (cache_mine)
		cache_flush(cache_mine);
	cache_flush_idle();
	je_mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	je_mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	unit_reclaim(0);
	mem_drop_spare();
	return behind_heap() < before;
}

/* glibc's knobs turn nothing here; those it knows are accepted, as it does. */
HRESV_EXPORT int mallopt(int parameter, int value)
{
	if (mode_settled() == MODE_NEXT && next()->mallopt)
		return next()->mallopt(parameter, value);
	switch (parameter) {
	case M_MXFAST:
		return value >= 0 && value <= (int)(80 * sizeof(size_t) / 4);
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_THRESHOLD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_PERTURB:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	default:
		return 0;
	}
}
