/* SPDX-License-Identifier: MIT */
/* next.c - dlsym(RTLD_NEXT), at one moment and never on another path */
#include "allocator/next.h"

#include <dlfcn.h>

/* A static program has no dlsym, and must not be made to link one. */
#pragma weak dlsym

static struct next found;

const struct next *next(void)
{
	return &found;
}

#define FIND(name) (*(void **)(void *)&found.name = dlsym(RTLD_NEXT, #name))

bool next_find(void)
{
	if (!dlsym)
		return false;
	FIND(malloc);
	FIND(calloc);
	FIND(realloc);
	FIND(free);
	FIND(memalign);
	FIND(aligned_alloc);
	FIND(posix_memalign);
	FIND(valloc);
	FIND(pvalloc);
	FIND(malloc_usable_size);
	FIND(malloc_trim);
	FIND(mallinfo);
	FIND(mallinfo2);
	FIND(malloc_info);
	FIND(malloc_stats);
	FIND(mallopt);
	FIND(free_sized);
	FIND(free_aligned_sized);
	FIND(mallocx);
	FIND(rallocx);
	FIND(xallocx);
	FIND(sallocx);
	FIND(dallocx);
	FIND(sdallocx);
	FIND(nallocx);
	FIND(mallctl);
	FIND(mallctlnametomib);
	FIND(mallctlbymib);
	FIND(malloc_stats_print);
	return found.malloc && found.calloc && found.realloc && found.free &&
	       found.posix_memalign && found.memalign && found.malloc_usable_size;
}
