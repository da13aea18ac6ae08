/* SPDX-License-Identifier: MIT */
/*
 * real.c - the loader's list of libraries and their hash tables, read directly
 *
 * dlsym() would do, but takes the loader's lock, allocates when it finds nothing
 * and is itself a name that others interpose.
 *
 * Pitfall: the loader turns the addresses in a dynamic section into absolute ones
 * in place, but not for every object (the vdso's is read-only).
 */
#include "preload/real.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern int __fork(void);	/* libc's, under a name that nobody interposes */

struct tables {
	const uint32_t *hash;
	const ElfW(Sym) *symbols;
	const char *names;
};

static const void *address(const struct link_map *map, ElfW(Addr) value)
{
	return (const void *)(value < map->l_addr ? value + map->l_addr : value);
}

static struct tables tables_of(const struct link_map *map)
{
	struct tables t = { 0 };

	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_GNU_HASH)
			t.hash = address(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_SYMTAB)
			t.symbols = address(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_STRTAB)
			t.names = address(map, d->d_un.d_ptr);
	}
	return t;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

/* Header: buckets, first symbol, filter words, shift; filter; buckets; chains. */
static const ElfW(Sym) *look_up(const struct tables *t, const char *name)
{
	const uint32_t buckets = t->hash[0], first = t->hash[1], words = t->hash[2];
	const uint32_t *bucket = t->hash + 4 + words * (sizeof(ElfW(Addr)) / 4);
	const uint32_t *chain = bucket + buckets;
	const uint32_t h = gnu_hash(name);
	uint32_t i = buckets ? bucket[h % buckets] : 0;

	if (i < first)
		return NULL;
	for (;; i++) {
		uint32_t here = chain[i - first];
		const ElfW(Sym) *s = &t->symbols[i];

		if ((here | 1) == (h | 1) && s->st_shndx != SHN_UNDEF &&
		    strcmp(t->names + s->st_name, name) == 0)
			return s;
		if (here & 1)
			return NULL;
	}
}

/* The library that starts last before @at. */
static const struct link_map *map_of(uintptr_t at)
{
	const struct link_map *found = NULL;

	for (const struct link_map *map = _r_debug.r_map; map; map = map->l_next)
		if (map->l_addr <= at && (!found || map->l_addr > found->l_addr))
			found = map;
	return found;
}

void *real_in_libc(const char *name)
{
	static const struct link_map *libc;
	const ElfW(Sym) *s;
	struct tables t;

	if (!libc)
		libc = map_of((uintptr_t)__fork);
	if (!libc)
		return NULL;
	t = tables_of(libc);
	s = t.hash && t.symbols && t.names ? look_up(&t, name) : NULL;
	return s ? (void *)(libc->l_addr + s->st_value) : NULL;
}
