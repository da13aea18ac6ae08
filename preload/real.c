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

extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

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

void *real_in_libc(const char *name)
{
	const struct link_map *map = _r_debug.r_map;

	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	for (map = map ? map->l_next : NULL; map; map = map->l_next) {
		struct tables t = tables_of(map);
		const ElfW(Sym) *s = t.hash && t.symbols && t.names ? look_up(&t, name) : NULL;

		if (s)
			return (void *)(map->l_addr + s->st_value);
	}
	return NULL;
}
