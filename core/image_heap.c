/* SPDX-License-Identifier: MIT */
/*
 * image_heap.c - the program break on a huge page's line, and back
 *
 * Pitfalls.
 * 1. brk(2) itself says no error: what it returns is where the break is now.
 * 2. libc may have noted the break before we came. A request for less than the page has
 *    then gets memory in it, and libc sees the break above what it asked for, as after
 *    somebody else's sbrk(); for more, the two agree again.
 * 3. The kernel can't cut a huge page: to lower the break into it fails, and the heap
 *    stays as it is. Nobody gets there who gives back no more than he took since.
 */
#include "core/image_heap.h"

#include <sys/syscall.h>

#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/sys.h"

static uintptr_t set_break(uintptr_t to)
{
	long now = sys_call(SYS_brk, (long)to, 0, 0, 0, 0, 0);

	return sys_failed(now) ? UINTPTR_MAX : (uintptr_t)now;
}

uintptr_t image_heap_end(void)
{
	return set_break(0);
}

void image_heap_raise(const struct image_segment *s, struct image_heap *ret_heap)
{
	const uintptr_t line = align_up(s->hi, GRANULE);
	uintptr_t now;

	*ret_heap = (struct image_heap){ 0 };
	if (!s->aligned || s->use != USE_DATA || line > s->room_hi || !writers_are_one())
		return;
	now = image_heap_end();
	if (now < s->hi || now >= line)
		return;
	if (set_break(line) == line)
		*ret_heap = (struct image_heap){ .was = now, .line = line };
}

void image_heap_settle(const struct image_heap *heap)
{
	if (heap->was && word_kind(pagemap_get(heap->line - GRANULE)) != PAGE_PRIVATE)
		set_break(heap->was);
}
