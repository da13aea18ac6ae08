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
#include <errno.h>
#include <gnu/lib-names.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* An entry for each of the first libraries behind us: a program's libc is mostly the first. */
#define KEPT 16

struct tables {
	const uint32_t *hash;
	const uint16_t *versions;	/* of symbols; NULL: they have none */
	const ElfW(Sym) *symbols;
	const char *names;
	size_t soname;			/* in names; 0: it has none */
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
		else if (d->d_tag == DT_VERSYM)
			t.versions = address(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_STRTAB)
			t.names = address(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_SONAME)
			t.soname = d->d_un.d_val;
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

/* An older version of a name, kept for programs that were linked with it. */
static bool is_old(const struct tables *t, uint32_t i)
{
	return t->versions && (t->versions[i] & 0x8000);
}

/* Two bits of one word of the filter: most libraries have none of our names. */
static bool may_have(const struct tables *t, uint32_t h)
{
	const ElfW(Addr) *filter = (const ElfW(Addr) *)(const void *)(t->hash + 4);
	const unsigned bits = 8 * sizeof(*filter);
	const ElfW(Addr) word = filter[h / bits % t->hash[2]];

	return (word >> (h % bits) & 1) && (word >> ((h >> t->hash[3]) % bits) & 1);
}

/* Header: buckets, first symbol, filter words, shift; filter; buckets; chains. */
static const ElfW(Sym) *look_up(const struct tables *t, const char *name)
{
	const uint32_t buckets = t->hash[0], first = t->hash[1], words = t->hash[2];
	const uint32_t *bucket = t->hash + 4 + words * (sizeof(ElfW(Addr)) / 4);
	const uint32_t *chain = bucket + buckets;
	const uint32_t h = gnu_hash(name);
	uint32_t i = buckets && may_have(t, h) ? bucket[h % buckets] : 0;

	if (i < first)
		return NULL;
	for (;; i++) {
		uint32_t here = chain[i - first];
		const ElfW(Sym) *s = &t->symbols[i];

		if ((here | 1) == (h | 1) && s->st_shndx != SHN_UNDEF && !is_old(t, i) &&
		    strcmp(t->names + s->st_name, name) == 0)
			return s;
		if (here & 1)
			return NULL;
	}
}

/*
 * What was read of the libraries behind us while the constructor asks for one name after
 * another. Only its thread looks (each has an errno of its own), and nothing is kept longer.
 */
static struct {
	const int *whose;
	struct {
		const struct link_map *map;
		struct tables tables;
	} at[KEPT];
} kept;

/* It is never unloaded, so its entry and its tables stay where they are. */
static const struct link_map *libc_map(void)
{
	static const struct link_map *libc;
	const struct link_map *map = __atomic_load_n(&libc, __ATOMIC_RELAXED);

	if (map)
		return map;
	for (map = _r_debug.r_map; map; map = map->l_next) {
		const struct tables t = tables_of(map);

		if (t.names && t.soname && strcmp(t.names + t.soname, LIBC_SO) == 0)
			break;
	}
	__atomic_store_n(&libc, map, __ATOMIC_RELAXED);
	return map;
}

void real_keep(bool keep)
{
	memset(&kept, 0, sizeof(kept));
	kept.whose = keep ? &errno : NULL;
	libc_map();
}

static struct tables tables_kept(const struct link_map *map, size_t place)
{
	if (place >= KEPT || kept.whose != &errno)
		return tables_of(map);
	if (kept.at[place].map != map) {
		kept.at[place].tables = tables_of(map);
		kept.at[place].map = map;
	}
	return kept.at[place].tables;
}

static const ElfW(Sym) *symbol_in(const struct tables *t, const char *name)
{
	return t->hash && t->symbols && t->names ? look_up(t, name) : NULL;
}

const ElfW(Sym) *real_in(const struct link_map *map, const char *name)
{
	const struct tables t = tables_of(map);

	return symbol_in(&t, name);
}

static void *defined_in(const struct link_map *map, const struct tables *t, const char *name)
{
	const ElfW(Sym) *s = symbol_in(t, name);

	return s ? (void *)(map->l_addr + s->st_value) : NULL;
}

void *real_behind(const char *name)
{
	const struct link_map *map = _r_debug.r_map;
	void *at = NULL;

	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	map = map ? map->l_next : NULL;
	for (size_t place = 0; map && !at; map = map->l_next, place++) {
		const struct tables t = tables_kept(map, place);

		at = defined_in(map, &t, name);
	}
	return at;
}

void *real_in_libc(const char *name)
{
	const struct link_map *map = libc_map();
	const struct tables t = map ? tables_of(map) : (struct tables){ 0 };

	return map ? defined_in(map, &t, name) : NULL;
}
