/* SPDX-License-Identifier: MIT */
/*
 * hresv_jemalloc.h - huge pages for programs that carry their own jemalloc
 *
 *	#include <jemalloc/jemalloc.h>
 *	#include <hresv_jemalloc.h>
 *
 *	extent_hooks_t *hooks = hresv_jemalloc_hooks();
 *	unsigned arena;
 *	size_t bytes = sizeof(arena);
 *
 *	mallctl("arenas.create", &arena, &bytes, &hooks, sizeof(hooks));
 *	p = mallocx(n, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
 *
 * Link with -lhresv-malloc, or start the program under libhresv.so: both export the
 * function. The extents of such an arena come from huge pages that are proven
 * before they are used, and are small, advised for the kernel's own huge pages,
 * where none can be had. HUGETLB_MALLOC_START, _LIMIT, _KEEP_FREE, _MORECORE and
 * _FALLBACK hold as for malloc; the extents count as malloc's in every figure.
 *
 * The hooks need opt.retain, the default: they refuse to give address space back,
 * and take the memory behind it by commit and decommit. They fit any number of
 * arenas, also arenas that exist already (arena.<i>.extent_hooks), in jemalloc 5.
 */
#ifndef HRESV_JEMALLOC_H
#define HRESV_JEMALLOC_H

#include <jemalloc/jemalloc.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The hooks: the same at each call, never to be freed or changed. May be called
 * from any thread, at any time.
 */
extent_hooks_t *hresv_jemalloc_hooks(void);

#ifdef __cplusplus
}
#endif

#endif
