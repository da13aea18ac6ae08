/* SPDX-License-Identifier: MIT */
/* next.c - dlsym(), at one moment and never on another path */
#include "allocator/next.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "allocator/family.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"	/* mallinfo */

/* A static program has no dlsym, and must not be made to link one. */
#pragma weak dlsym
#pragma weak dladdr1

static struct next behind, front;

const struct next *next(void)
{
	return &behind;
}

const struct next *next_front(void)
{
	return &front;
}

/*
 * Where an executable that isn't position-independent takes a function's address, its
 * own stub for that function is the answer to everybody who asks. Calling it leads to
 * whoever is first, and as we are asked at all, that is us.
 */
static bool is_stub(void *at)
{
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	return at && dladdr1 && dladdr1(at, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol &&
	       symbol->st_shndx == SHN_UNDEF;
}

static bool is_ours(void *at, void *ours)
{
	return at == ours || is_stub(at);
}

/* The first of that name that isn't ours: one in front of us, or the next. */
static void find(const char *name, void *ours, void **ret_front, void **ret_behind)
{
	void *at = dlsym(RTLD_DEFAULT, name);

	*ret_behind = dlsym(RTLD_NEXT, name);
	*ret_front = is_ours(at, ours) ? *ret_behind : at;
}

#define FIND(name)                                                                            \
	find(#name, (void *)(uintptr_t)name, (void **)(void *)&front.name,                    \
	     (void **)(void *)&behind.name)

static enum { NOT_LOOKED, IN_FRONT, BEHIND } other;

void next_look(void)
{
	/* A static program with dlsym has nothing to find by it. */
	void *first = dlsym ? dlsym(RTLD_DEFAULT, "malloc") : NULL;

	other = first && !is_ours(first, (void *)(uintptr_t)family_malloc) ? IN_FRONT : BEHIND;
}

bool next_is_in_front(void)
{
	if (other == NOT_LOOKED)
		next_look();
	return other == IN_FRONT;
}

bool next_find(void)
{
	if (!dlsym)
		return false;
	FIND(malloc);
	FIND(calloc);
	FIND(realloc);
	FIND(reallocarray);
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
	return behind.malloc && behind.calloc && behind.realloc && behind.free &&
	       behind.posix_memalign && behind.memalign && behind.malloc_usable_size;
}
