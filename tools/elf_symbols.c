/* SPDX-License-Identifier: MIT */
/* elf_symbols.c - allocators are told by names that no other has */
#include "tools/elf_symbols.h"

#include <gelf.h>
#include <stddef.h>
#include <string.h>

/* First the ones that also define malloc. */
static const struct known {
	const char *symbol, *allocator;
} known[] = {
	{ "mallocx", "jemalloc" },	{ "je_mallocx", "jemalloc" },
	{ "_rjem_mallocx", "jemalloc" }, { "je_malloc_conf", "jemalloc" },
	{ "tc_malloc", "tcmalloc" },	{ "MallocExtension_Internal_GetNumericProperty", "tcmalloc" },
	{ "mi_malloc", "mimalloc" },	{ "_mi_heap_main", "mimalloc" },
	{ "rpmalloc", "rpmalloc" },	{ "sn_malloc", "snmalloc" },
	{ "scalable_malloc", "tbbmalloc" }, { "hoard_malloc", "hoard" },
	{ "runtime.mallocgc", "Go's" },	{ "malloc", "its own malloc" },
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static size_t rank_of(const char *name)
{
	size_t i = 0;

	while (i < KNOWN && strcmp(name, known[i].symbol) != 0)
		i++;
	return i;
}

static size_t best_in(Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n = data && header->sh_entsize ? data->d_size / header->sh_entsize : 0;
	size_t best = KNOWN;
	GElf_Sym symbol;

	for (size_t i = 0; i < n && gelf_getsym(data, (int)i, &symbol); i++) {
		const char *name;
		size_t rank;

		if (symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) == STT_FILE)
			continue;
		name = elf_strptr(elf, header->sh_link, symbol.st_name);
		rank = name ? rank_of(name) : KNOWN;
		best = rank < best ? rank : best;
	}
	return best;
}

const char *elf_symbols_allocator(Elf *elf)
{
	size_t best = KNOWN;
	GElf_Shdr header;

	for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s)) != NULL;) {
		size_t rank;

		if (!gelf_getshdr(s, &header) ||
		    (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		rank = best_in(elf, s, &header);
		best = rank < best ? rank : best;
	}
	return best < KNOWN ? known[best].allocator : NULL;
}
