/* SPDX-License-Identifier: MIT */
/* line.c - look for room by taking it for a moment */
#include "core/act/line.h"

#include <sys/mman.h>

#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_32BIT	/* x86 alone has it */
#define MAP_32BIT 0
#endif

bool line_may_choose(uintptr_t at, int flags)
{
	return !at && !(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT));
}

/* A table has one entry of 8 bytes for each part of what it maps, and fills a base page. */
static size_t table_bytes(void)
{
	const size_t page = mem_page_bytes(), entries = page / 8;

	return entries * entries * page;
}

uintptr_t line_for(size_t bytes, uint64_t offset)
{
	const size_t table = table_bytes();
	long room;

	if (bytes < table || offset % table || bytes > SIZE_MAX - table)
		return 0;
	room = sys_mmap(0, bytes + table, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sys_failed(room))
		return 0;
	sys_munmap((uintptr_t)room, bytes + table);
	return align_up((uintptr_t)room, table);
}
