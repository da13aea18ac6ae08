/* SPDX-License-Identifier: MIT */
/*
 * elf_find.c - the auxiliary vector for the program, the loader's list for the rest
 *
 * Pitfall: the list is walked with the loader's lock held, so nothing is done
 * there but to write down what is found.
 */
#include "preload/elf_find.h"

#include <errno.h>
#include <sys/auxv.h>

#include "core/base/align.h"

bool elf_find_program(struct elf_object *ret)
{
	const ElfW(Phdr) *phdr = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	struct elf_object o = { .name = "", .phdr = phdr, .phdrs = getauxval(AT_PHNUM) };

	if (!phdr || getauxval(AT_PHENT) != sizeof(*phdr))
		return false;
	for (size_t i = 0; i < o.phdrs; i++)
		if (phdr[i].p_type == PT_PHDR)
			o.base = (uintptr_t)phdr - phdr[i].p_vaddr;
	*ret = o;
	return true;
}

struct search {
	struct blob *objects;
	int err;
};

static int add_object(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	struct search *s = arg;
	const struct elf_object o = { info->dlpi_name, info->dlpi_addr, info->dlpi_phdr,
				      info->dlpi_phnum };

	(void)bytes;
	if (o.phdrs && o.phdr)
		s->err = blob_add(s->objects, &o, sizeof(o));
	return s->err;
}

int elf_find_all(struct blob *objects)
{
	struct search s = { .objects = objects };

	dl_iterate_phdr(add_object, &s);
	return s.err;
}

uintptr_t elf_segment_lo(const struct elf_object *o, const ElfW(Phdr) *p)
{
	return align_down(o->base + p->p_vaddr, mem_page_bytes());
}

uintptr_t elf_segment_hi(const struct elf_object *o, const ElfW(Phdr) *p)
{
	return align_up(o->base + p->p_vaddr + p->p_memsz, mem_page_bytes());
}

bool elf_holds(const struct elf_object *o, uintptr_t at)
{
	for (size_t i = 0; i < o->phdrs; i++) {
		const ElfW(Phdr) *p = &o->phdr[i];

		if (p->p_type == PT_LOAD && elf_segment_lo(o, p) <= at && at < elf_segment_hi(o, p))
			return true;
	}
	return false;
}
